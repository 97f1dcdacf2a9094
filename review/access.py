"""Who may do what. `can_*` answers, for templates and lists; `check_*` refuses, for actions.

`by=None` stands for the command line of the machine itself: whoever may run its commands may do everything.
"""

from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from review.models import Role, User
from review.prepared import answer
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import AnonymousUser

    from review.models import Source


_STATEMENT = """
    SELECT ARRAY(SELECT g.name FROM auth_group g JOIN review_user_groups m ON m.group_id = g.id
            WHERE m.user_id = %(user)s),
        ARRAY(SELECT s.source_id FROM review_user_sources s WHERE s.user_id = %(user)s),
        EXISTS (SELECT 1 FROM review_pause p WHERE p.reviewer_id = %(user)s AND p.lifted_at IS NULL)
"""


def roles(user: "User | AnonymousUser") -> frozenset[str]:
    """Return the names of the person's groups; asked of the database once a request."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    known: frozenset[str] | None = getattr(user, "_roles", None)
    if known is None:
        known, _sources = _look_up(user)
    return known | ({Role.MANAGER} if user.is_superuser else frozenset())


def _look_up(user: "User") -> tuple[frozenset[str], frozenset[int]]:
    """Ask for the person's groups, sources and pause at once, and keep them with the object: it lives for a request."""
    groups, sources, paused = answer(_STATEMENT, {"user": user.pk}) or ([], [], False)
    user.__dict__["_roles"], user.__dict__["_limited_to"] = frozenset(groups), frozenset(sources)
    user.__dict__["_is_paused"] = paused and bool(groups)
    return frozenset(groups), frozenset(sources)


def _has(user: "User | AnonymousUser", *wanted: Role) -> bool:
    return not roles(user).isdisjoint(wanted)


def can_review(user: "User | AnonymousUser") -> bool:
    """Decide on records in the queue."""
    return _has(user, Role.REVIEWER, Role.SETTLER, Role.MANAGER)


def can_settle(user: "User | AnonymousUser") -> bool:
    """Decide where reviewers differ."""
    return _has(user, Role.SETTLER, Role.MANAGER)


def can_manage(user: "User | AnonymousUser") -> bool:
    """Import, retract, decide the rights of sources and batches, cut releases."""
    return _has(user, Role.MANAGER)


def can_consume(user: "User | AnonymousUser") -> bool:
    """Read releases."""
    return _has(user, Role.CONSUMER, Role.MANAGER)


def _check(allowed: bool) -> None:  # noqa: FBT001  the answer of a can_*
    if not allowed:
        raise Refused(_("Your role does not allow this. Ask a manager."), ground=Ground.FORBIDDEN)


def is_paused(user: "User | AnonymousUser") -> bool:
    """Tell whether a reviewer gets no records until a manager has spoken with them."""
    return bool(roles(user)) and bool(user.__dict__.get("_is_paused"))


def check_review(by: "User") -> None:
    _check(can_review(by))
    if is_paused(by):
        raise Refused(_("You are paused: a manager will speak with you before you go on."), ground=Ground.FORBIDDEN)


def check_settle(by: "User") -> None:
    _check(can_settle(by))


def check_send_back(by: "User | None") -> None:
    """Sending back undoes what others have decided: for settlers and managers."""
    _check(by is None or can_settle(by))


def check_manage(by: "User | None") -> None:
    _check(by is None or can_manage(by))


check_take_down = check_import = check_retract = check_decide_rights = check_cut_release = check_manage


def limited_to(user: "User") -> frozenset[int]:
    """Return the sources that the person is limited to, none for every one; asked of the database once a request."""
    known: frozenset[int] | None = getattr(user, "_limited_to", None)
    return _look_up(user)[1] if known is None else known


def can_see(user: "User", source: int) -> bool:
    """See the records of a source."""
    sources = limited_to(user)
    return not sources or source in sources


def check_source(by: "User", source: "Source") -> None:
    """Refuse a source that the person may not see."""
    _check(can_see(by, source.pk))


def can_change(user: "User | AnonymousUser", person: "User") -> bool:
    """Change what a person may do: managers do, of everybody but themselves; of administrators only another one."""
    reaches = user.is_superuser or not person.is_superuser
    return can_manage(user) and reaches and user.pk != person.pk


def check_change(by: "User | None", person: "User") -> None:
    """Refuse a change of oneself or of an administrator."""
    _check(by is None or can_change(by, person))


def able_to_review(people: "Iterable[int]") -> set[int]:
    """Return those of these people who may sign in and decide on records."""
    roles = Q(groups__name__in=[Role.REVIEWER, Role.SETTLER, Role.MANAGER]) | Q(is_superuser=True)
    return set(User.objects.filter(roles, pk__in=set(people), is_active=True).values_list("pk", flat=True))


def acting_role(user: "User") -> Role:
    """Return the role that a decision is recorded under: the highest that the person has."""
    held = roles(user)
    return next(role for role in (Role.MANAGER, Role.SETTLER, Role.REVIEWER, Role.CONSUMER) if role in held)
