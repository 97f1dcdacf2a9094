from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from review.models.record import State
from review.models.triggers import sealed


class Cause(models.TextChoices):
    """What moved a record."""

    DECIDE = "decide", _("decided")
    SETTLE = "settle", _("settled")
    UNDO = "undo", _("undone")
    SEND_BACK = "send_back", _("sent back")
    REIMPORT = "reimport", _("changed at the source")
    LABEL = "label", _("labelled")
    RIGHTS = "rights", _("rights decided")
    TAKE_DOWN = "take_down", _("taken down")
    RETRACT = "retract", _("import retracted")


UNANSWERED, WAITING, SECOND = State.UNANSWERED, State.WAITING, State.SECOND
DISPUTED, APPROVED, REJECTED = State.DISPUTED, State.APPROVED, State.REJECTED

ALLOWED: dict[Cause, dict[State, tuple[State, ...]]] = {
    Cause.DECIDE: {
        UNANSWERED: (WAITING, DISPUTED, REJECTED),
        WAITING: (WAITING, SECOND, DISPUTED, APPROVED, REJECTED),
        SECOND: (WAITING, SECOND, DISPUTED, APPROVED, REJECTED),
    },
    Cause.SETTLE: {DISPUTED: (APPROVED, REJECTED)},
    Cause.UNDO: {
        WAITING: (UNANSWERED, WAITING, SECOND),
        SECOND: (WAITING, SECOND),
        DISPUTED: (UNANSWERED, WAITING, SECOND),
        APPROVED: (WAITING, SECOND, DISPUTED),
        REJECTED: (UNANSWERED, WAITING, SECOND, DISPUTED),
    },
    Cause.SEND_BACK: {
        WAITING: (WAITING,),
        SECOND: (WAITING,),
        DISPUTED: (UNANSWERED, WAITING),
        APPROVED: (WAITING,),
        REJECTED: (UNANSWERED, WAITING),
    },
    Cause.REIMPORT: {UNANSWERED: (UNANSWERED, WAITING), WAITING: (UNANSWERED, WAITING)},
    Cause.LABEL: {UNANSWERED: (UNANSWERED,), WAITING: (WAITING,)},
    Cause.RIGHTS: {state: (state,) for state in State},
    Cause.TAKE_DOWN: {state: (state,) for state in State},
    Cause.RETRACT: {state: (state,) for state in State}
    | {WAITING: (WAITING, UNANSWERED), UNANSWERED: (UNANSWERED, WAITING)},
}
"""Which moves there are: cause → from → to. The diagram in `docs/` and the constraint below are made from it."""


def _allowed() -> Q:
    condition = Q()
    for cause, moves in ALLOWED.items():
        for origin, targets in moves.items():
            condition |= Q(
                cause=cause.value,
                from_state=origin.value,
                to_state__in=[state.value for state in targets],
            )
    return condition


class Move(models.Model):
    """One change of a record, written by the database in the transaction of the change: who, when, why, to what."""

    record = models.ForeignKey("review.Record", models.PROTECT, related_name="moves", verbose_name=_("record"))
    from_state = models.CharField(_("from"), max_length=10, choices=State)
    to_state = models.CharField(_("to"), max_length=10, choices=State)
    round = models.PositiveSmallIntegerField(_("round"))
    revision_id = models.BigIntegerField(_("revision"))
    verdict_id = models.BigIntegerField(_("verdict"), null=True)
    rights_id = models.BigIntegerField(_("rights"), null=True)
    takedown_id = models.BigIntegerField(_("takedown"), null=True)
    retraction_id = models.BigIntegerField(_("retraction"), null=True)
    cause = models.CharField(_("cause"), max_length=9, choices=Cause)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        triggers: ClassVar = sealed("move")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_move_allowed",
                condition=_allowed(),
                violation_error_message=_("A record does not move this way."),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.record_id}: {self.from_state} → {self.to_state}"
