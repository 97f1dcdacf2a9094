"""Letting people in, and saying what they may do. Nobody raises themselves; only administrators make administrators."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from review import access
from review.models import Claim, Record, Role, State, Token, User
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from review.models import Source

UNDECIDED = (State.UNANSWERED, State.WAITING, State.SECOND)


@transaction.atomic
def invite_person(  # noqa: PLR0913  all that is known of a person
    *,
    by: User | None,
    name: str,
    full_name: str = "",
    email: str = "",
    roles: Collection[str],
    sources: "Iterable[Source]" = (),
    is_administrator: bool = False,
) -> User:
    """Let a person in who has no password yet: a link by which they choose one is made afterwards."""
    access.check_manage(by)
    person = User(username=name.strip(), first_name=full_name.strip(), email=email.strip().lower())
    _check_details(person)
    person.set_unusable_password()
    person.save()
    _give(person, roles=roles, is_administrator=is_administrator, by=by)
    person.sources.set(sources)
    return person


@transaction.atomic
def change_details(*, by: User | None, person: User, name: str, full_name: str, email: str) -> None:
    """Change how a person is called and where mail reaches them: managers do, for themselves as well.

    Links sent before are void.
    """
    person = _held(by, person, or_oneself=True)
    person.username, person.first_name, person.email = name.strip(), full_name.strip(), email.strip().lower()
    _check_details(person)
    person.save(update_fields=["username", "first_name", "email"])


@transaction.atomic
def change_roles(
    *, by: User | None, person: User, roles: Collection[str], is_administrator: bool | None = None
) -> None:
    """Give a person these roles and no others, effective at once; records they may no longer hold go back.

    `is_administrator` is left as it is unless given.
    """
    person = _held(by, person)
    wanted = person.is_superuser if is_administrator is None else is_administrator
    _give(person, roles=roles, is_administrator=wanted, by=by)
    _take_back(person)


@transaction.atomic
def limit_sources(*, by: User | None, person: User, sources: "Iterable[Source]") -> None:
    """Limit a person to some sources, or to none: then they see every one."""
    person = _held(by, person)
    person.sources.set(sources)
    _take_back(person)


@transaction.atomic
def disable_person(*, by: User | None, person: User) -> None:
    """Shut a person out at once: sessions end, tokens are revoked, what they held goes back to the queue."""
    person = _held(by, person)
    person.is_active = False
    person.save(update_fields=["is_active"])
    _end_sessions(person)
    Token.objects.filter(user=person).delete()
    _take_back(person)


@transaction.atomic
def enable_person(*, by: User | None, person: User) -> None:
    """Let a person in again, with the roles they had. Sessions and tokens do not come back."""
    person = _held(by, person)
    person.is_active = True
    person.save(update_fields=["is_active"])
    _end_sessions(person)


@transaction.atomic
def end_sessions(*, by: User | None, person: User) -> None:
    """Sign a person out everywhere."""
    _end_sessions(_held(by, person))


@transaction.atomic
def remove_second_factor(*, by: User | None, person: User) -> None:
    """Let a person who lost their device sign in with the password alone."""
    Authenticator.objects.filter(user=_held(by, person)).delete()


@transaction.atomic
def revoke_token(*, by: User | None, token: Token) -> None:
    """Make a token worthless; managers may do so with their own as well."""
    if by is None or token.user_id != by.pk:
        access.check_change(by, token.user)
    access.check_manage(by)
    token.delete()


def check_link(*, by: User | None, person: User) -> None:
    """Refuse to make a link by which a password is chosen for somebody out of reach, or shut out."""
    access.check_change(by, person)
    if not person.is_active:
        raise Refused(_("%(name)s may not sign in. Let them in again first.") % {"name": person})


def _held(by: User | None, person: User, *, or_oneself: bool = False) -> User:
    """Return the person afresh, locked together with who changes them, so that the two cannot change each other."""
    access.check_manage(by)
    both = {person.pk, by.pk} if by else {person.pk}
    fresh = {user.pk: user for user in User.objects.select_for_update().filter(pk__in=both).order_by("pk")}
    if not (or_oneself and by == person):
        access.check_change(fresh[by.pk] if by else None, fresh[person.pk])
    return fresh[person.pk]


def _check_details(person: User) -> None:
    """Refuse a name or an address that cannot be used, or that somebody else has."""
    fields = {"name": _name_fault(person), "email": _address_fault(person)}
    faults = {field: str(fault) for field, fault in fields.items() if fault}
    if faults:
        raise Refused(" ".join(faults.values()), ground=Ground.INVALID, fields=faults)


def _name_fault(person: User) -> str:
    others = User.objects.exclude(pk=person.pk)
    try:
        UnicodeUsernameValidator()(person.username)
    except ValidationError:
        return _("A name has letters, digits and . + - _ only.")
    if "@" in person.username:
        return _("A name has no @, so that it is not taken for an address.")
    if others.filter(username__iexact=person.username).exists():
        return _("Somebody else has this name.")
    return ""


def _address_fault(person: User) -> str:
    if not person.email:
        return ""
    try:
        validate_email(person.email)
    except ValidationError:
        return _("This is not an address.")
    if User.objects.exclude(pk=person.pk).filter(email__iexact=person.email).exists():
        return _("Somebody else has this address.")
    return ""


def _give(person: User, *, roles: Collection[str], is_administrator: bool, by: User | None) -> None:
    """Write what a person may do. Managers and administrators enter the administration, nobody else does."""
    unknown = set(roles) - set(Role.values)
    if unknown:
        message = _("There is no role “%(role)s”.") % {"role": min(unknown)}
        raise Refused(message, ground=Ground.INVALID, fields={"roles": message})
    if is_administrator != person.is_superuser and by is not None and not by.is_superuser:
        raise Refused(_("Only administrators make administrators."), ground=Ground.FORBIDDEN)
    person.is_superuser = is_administrator
    person.is_staff = is_administrator or Role.MANAGER in roles
    person.save(update_fields=["is_superuser", "is_staff"])
    person.groups.set(Group.objects.filter(name__in=roles))


def _take_back(person: User) -> None:
    """Give back what a person may no longer hold: their claims, and what waits for them alone."""
    person = User.objects.get(pk=person.pk)  # one that remembers no roles from before
    claims = Claim.objects.filter(reviewer=person)
    assigned = Record.objects.live().filter(assignee=person, state__in=UNDECIDED)
    if access.can_review(person):
        sources = access.limited_to(person)
        unseen = ~Q(record__source__in=sources) if sources else Q(pk=None)
        unsettled = Q(pk=None) if access.can_settle(person) else Q(purpose=Claim.Purpose.SETTLE)
        claims = claims.filter(unseen | unsettled)
        assigned = assigned.exclude(source__in=sources) if sources else assigned.none()
    claims.delete()
    assigned.update(assignee=None)


def _end_sessions(person: User) -> None:
    for session in UserSession.objects.filter(user=person):
        session.end()
