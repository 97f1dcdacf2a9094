"""People: who is let in, what they may do, and the links and tokens that they use."""

from typing import TYPE_CHECKING, Any, NamedTuple

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Q, TextChoices
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import OperationalError as BrokerError

from review import access, links, people, tasks
from review.forms_people import DUTIES, DetailsForm, InvitationForm, RolesForm, SearchForm, SourcesForm, TokenForm
from review.models import Role, Source, Token, User
from review.refused import Ground, Refused
from review.views.answers import Request, SeeOther, for_managers, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

    from review.forms_people import SaidForm

PAGE = 50


class Standing(TextChoices):
    """Whether a person may sign in, and has."""

    ACTIVE = "active", gettext_lazy("active")
    INVITED = "invited", gettext_lazy("invited, has not signed in yet")
    DISABLED = "disabled", gettext_lazy("disabled")

    @classmethod
    def of(cls, person: User) -> "Standing":
        if not person.is_active:
            return cls.DISABLED
        return cls.INVITED if person.last_login is None and not person.has_usable_password() else cls.ACTIVE


class Duty(NamedTuple):
    """A role as it is given: its word, what it allows, and whether it is given."""

    value: str
    label: str
    allows: Any
    is_given: bool


@require_safe
@for_managers
def show_list(request: Request) -> HttpResponse:
    """List the people, or those whose name or address holds what is looked for."""
    search = SearchForm(request.GET)
    search.is_valid()
    wanted, page = search.cleaned_data.get("q", ""), search.cleaned_data.get("page") or 1
    listed = Paginator(_seen(_found(wanted)), PAGE).get_page(page)
    rows = [(person, Standing.of(person)) for person in listed]
    return render(request, "review/people.html", {"rows": rows, "listed": listed, "wanted": wanted})


def _found(wanted: str) -> "QuerySet[User]":
    parts = Q(username__icontains=wanted) | Q(first_name__icontains=wanted) | Q(email__icontains=wanted)
    return User.objects.filter(parts if wanted else Q()).order_by("username")


def _seen(found: "QuerySet[User]") -> "QuerySet[User]":
    """Add when each was last seen: while signed in or, where that is forgotten, when signing in."""
    seen = found.annotate(last_seen=Coalesce(Max("usersession__last_seen_at"), "last_login"))
    return seen.prefetch_related("groups", "sources")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def invite(request: Request) -> HttpResponse:
    """Let somebody in, and send or show them the link by which they choose a password."""
    form = InvitationForm(request.POST or None)
    if request.method != "POST":
        return _show_invitation(request, form)
    try:
        person = people.invite_person(by=request.user, **form.said())
    except Refused as refused:
        return _show_invitation(request, form, refused)
    return _hand_over(request, person)


def _show_invitation(request: Request, form: InvitationForm, refused: Refused | None = None) -> HttpResponse:
    context = {"form": form, "refused": refused, "can_mail": links.has_mail()} | _choices(form, form)
    return render(request, "review/people_invite.html", context, status=refusal(refused) if refused else 200)


def _hand_over(request: Request, person: User) -> HttpResponse:
    """Send the link by mail; where that cannot be, show it, this once."""
    root = request.build_absolute_uri("/")
    if not (links.has_mail() and person.email):
        return render(request, "review/people_link.html", {"person": person, "link": links.make_link(person, root)})
    try:
        tasks.mail_link.delay(person.pk, root)
    except BrokerError:
        messages.error(request, _("The link could not be sent just now. Try again in a minute."))
    else:
        messages.success(request, _("A link was sent to %(address)s.") % {"address": person.email})
    return SeeOther(reverse("review:person", args=[person.pk]))


@require_safe
@for_managers
def show(request: Request, pk: int) -> HttpResponse:
    """Show a person: what they may do, and how they come in."""
    return _show(request, get_object_or_404(User, pk=pk))


def _show(
    request: Request, person: User, *, sent: "SaidForm | None" = None, refused: Refused | None = None
) -> HttpResponse:
    """Show a person, with what was sent in its fields and the reason where it was refused."""
    person = _seen(User.objects.filter(pk=person.pk)).get()
    details = sent if isinstance(sent, DetailsForm) else DetailsForm(initial=_details(person))
    roles = sent if isinstance(sent, RolesForm) else RolesForm(initial=_roles(person))
    sources = sent if isinstance(sent, SourcesForm) else SourcesForm(initial={"sources": person.sources.all()})
    context = {
        "person": person,
        "standing": Standing.of(person),
        "may_change": access.can_change(request.user, person),
        "refused": refused,
        "details": details,
        "is_administrator": roles["is_administrator"].value(),
        "has_second_factor": Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists(),
        "tokens": Token.objects.filter(user=person).order_by("-created"),
        "now": timezone.now(),
        "can_mail": links.has_mail(),
    }
    status = refusal(refused) if refused else 200
    return render(request, "review/people_person.html", context | _choices(roles, sources), status=status)


def _details(person: User) -> dict[str, str]:
    return {"name": person.username, "full_name": person.first_name, "email": person.email}


def _roles(person: User) -> dict[str, Any]:
    given = [group.name for group in person.groups.all()]
    return {"roles": given, "is_administrator": person.is_superuser}


def _choices(roles: "SaidForm", sources: "SaidForm") -> dict[str, Any]:
    """Return the roles and sources to choose from, with what is chosen in these forms."""
    given, limited_to = roles["roles"].value() or [], sources["sources"].value() or []
    return {
        "duties": [Duty(role.value, str(role.label), DUTIES[role], role.value in given) for role in Role],
        "sources": Source.objects.select_related("category").order_by("category__position", "position"),
        "limited_to": {str(key) for key in limited_to},
    }


def _change(
    request: Request, pk: int, verb: "Callable[..., object]", done: str, form: "SaidForm | None" = None
) -> HttpResponse:
    """Do something about a person, with what the form says, and show them again."""
    person = get_object_or_404(User, pk=pk)
    try:
        verb(by=request.user, person=person, **(form.said() if form else {}))
    except Refused as refused:
        return _not_done(request, person, refused, form)
    messages.success(request, done)
    return SeeOther(reverse("review:person", args=[pk]))


def _not_done(request: Request, person: User, refused: Refused, form: "SaidForm | None" = None) -> HttpResponse:
    if refused.ground == Ground.FORBIDDEN:
        raise PermissionDenied(refused.message) from refused
    return _show(request, person, sent=form, refused=refused)


@require_POST
@for_managers
def change_details(request: Request, pk: int) -> HttpResponse:
    """Change name and address."""
    return _change(request, pk, people.change_details, _("Name and address are saved."), DetailsForm(request.POST))


@require_POST
@for_managers
def change_roles(request: Request, pk: int) -> HttpResponse:
    """Change what the person may do."""
    return _change(request, pk, people.change_roles, _("The roles are saved."), RolesForm(request.POST))


@require_POST
@for_managers
def limit_sources(request: Request, pk: int) -> HttpResponse:
    """Change which sources the person sees."""
    return _change(request, pk, people.limit_sources, _("The sources are saved."), SourcesForm(request.POST))


@require_POST
@for_managers
def disable(request: Request, pk: int) -> HttpResponse:
    """Shut the person out."""
    return _change(request, pk, people.disable_person, _("Disabled: signed out everywhere, tokens revoked."))


@require_POST
@for_managers
def enable(request: Request, pk: int) -> HttpResponse:
    """Let the person in again."""
    return _change(request, pk, people.enable_person, _("Enabled: the password is as it was, tokens are not."))


@require_POST
@for_managers
def sign_out(request: Request, pk: int) -> HttpResponse:
    """Sign the person out everywhere."""
    return _change(request, pk, people.end_sessions, _("Signed out everywhere."))


@require_POST
@for_managers
def remove_second_factor(request: Request, pk: int) -> HttpResponse:
    """Let the person sign in with the password alone."""
    return _change(request, pk, people.remove_second_factor, _("The second step is removed."))


@require_POST
@for_managers
def revoke_token(request: Request, pk: int) -> HttpResponse:
    """Make one of the person's tokens worthless."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        raise Http404
    people.revoke_token(by=request.user, token=get_object_or_404(Token, pk=form.cleaned_data["token"], user=pk))
    messages.success(request, _("The token is revoked."))
    return SeeOther(reverse("review:person", args=[pk]))


@never_cache
@require_POST
@for_managers
def make_link(request: Request, pk: int) -> HttpResponse:
    """Send or show a link by which the person chooses a new password."""
    person = get_object_or_404(User, pk=pk)
    try:
        people.check_link(by=request.user, person=person)
    except Refused as refused:
        return _not_done(request, person, refused)
    return _hand_over(request, person)
