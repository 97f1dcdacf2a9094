"""Who may do what. `can_*` answers, for templates and lists; `check_*` refuses, for actions.

`by=None` stands for the command line of the machine itself: whoever may run its commands may do everything.
"""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from review.models import Role
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from review.models import Source, User


def roles(user: "User | AnonymousUser") -> frozenset[str]:
    """Return the names of the person's groups; asked of the database once a request."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    known: frozenset[str] | None = getattr(user, "_roles", None)
    if known is None:
        known = frozenset(user.groups.values_list("name", flat=True))
        user.__dict__["_roles"] = known  # the object lives as long as the request
    return known | ({Role.MANAGER} if user.is_superuser else frozenset())


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


def check_review(by: "User") -> None:
    _check(can_review(by))


def check_settle(by: "User") -> None:
    _check(can_settle(by))


def check_manage(by: "User | None") -> None:
    _check(by is None or can_manage(by))


check_import = check_retract = check_decide_rights = check_cut_release = check_manage


def check_source(by: "User", source: "Source") -> None:
    """Refuse a source that the person may not see."""
    limited_to = set(by.sources.values_list("pk", flat=True))
    _check(not limited_to or source.pk in limited_to)


def acting_role(user: "User") -> Role:
    """Return the role that a decision is recorded under: the highest that the person has."""
    held = roles(user)
    return next(role for role in (Role.MANAGER, Role.SETTLER, Role.REVIEWER, Role.CONSUMER) if role in held)
