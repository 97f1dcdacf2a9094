from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from review.models.constraints import CompositeForeignKey
from review.models.flag import is_flagged_by
from review.models.rights import NO_COPYRIGHT_STATED, Licence
from review.models.triggers import NoTruncate
from review.models.unread import note_changed_wordings

if TYPE_CHECKING:
    from review.models.user import User


class State(models.TextChoices):
    """Where a record stands. Claimed, sent back, taken down, retracted and releasable are derived, never states."""

    UNANSWERED = "unanswered", _("unanswered")
    WAITING = "waiting", _("waiting")
    SECOND = "second", _("waiting for a second look")
    DISPUTED = "disputed", _("disputed")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", pgettext_lazy("record", "rejected")


LIVE = Q(takedown=None, retraction=None)
UNDECIDED = Q(state__in=[State.WAITING, State.SECOND, State.UNANSWERED])

SENT_BACK = Q(round__gt=1) & ~Q(state__in=[State.APPROVED, State.REJECTED])


def _queue_indexes(state: State) -> list[models.Index]:
    """Return the order of the queue for one state: of all sources, and of each.

    The second one spells the same order differently, so that the planner cannot answer a question about one source by
    walking through the records of all the others.
    """
    free = Q(state=state, assignee=None) & LIVE
    return [
        models.Index(fields=["-priority", "id"], name=f"review_record_{state}", condition=free),
        models.Index("source", F("priority") * -1, "id", name=f"review_record_{state}_src", condition=free),
    ]


class RecordQuerySet(models.QuerySet["Record"]):
    def live(self) -> Self:
        """Neither taken down nor retracted."""
        return self.filter(LIVE)

    def sent_back(self) -> Self:
        """Decided once, sent back, and not decided again."""
        return self.filter(SENT_BACK & LIVE)

    def for_user(self, user: "User") -> Self:
        """Those of the sources that the person may see."""
        limited_to = list(user.sources.values_list("pk", flat=True))
        return self.filter(source__in=limited_to) if limited_to else self.all()

    def with_rights(self) -> Self:
        """Annotate the rights in effect: the record's own, else its batch's, else its source's."""

        def effective(field: str, otherwise: str) -> Coalesce:
            owners = (F(f"{owner}rights__{field}") for owner in ("", "batch__", "source__"))
            return Coalesce(*owners, Value(otherwise), output_field=models.TextField())

        return self.annotate(
            licence=effective("licence", Licence.UNKNOWN),
            holder=effective("holder", ""),
            copyright=effective("published_text", NO_COPYRIGHT_STATED),
        )

    def flagged(self, rule: str) -> Self:
        """Those in whose current wording the rule found something."""
        return self.filter(is_flagged_by({rule}))

    def unflagged(self, rules: Collection[str]) -> Self:
        """Those in whose current wording none of the rules found anything."""
        return self.filter(~is_flagged_by(rules))

    def releasable(self, licences: Collection[str], *, without: Collection[str] = ()) -> Self:
        """Approved, neither taken down nor retracted, and under one of `licences`: the one gate of every exit.

        `without` are flags that hold a record back while its current wording has them.
        """
        allowed = set(licences) - Licence.never_leaving()
        records = self.live().filter(state=State.APPROVED).with_rights().filter(licence__in=sorted(allowed))
        return records.unflagged(without) if without else records


class Record(models.Model):
    """A candidate on its way into the data set. Its text is its revision; its history is append-only beside it."""

    source = models.ForeignKey(
        "review.Source",
        models.PROTECT,
        related_name="records",
        db_index=False,
        db_constraint=False,
        verbose_name=_("source"),
    )
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)  # noqa: DJ001  unique
    key = models.BinaryField(_("duplicate key"), max_length=32)
    batch = models.ForeignKey(
        "review.Batch",
        models.PROTECT,
        related_name="records",
        db_index=False,
        db_constraint=False,
        verbose_name=_("batch"),
    )
    wanted = models.PositiveSmallIntegerField(_("decisions wanted"), db_default=1)
    round = models.PositiveSmallIntegerField(_("round"), db_default=1)
    priority = models.SmallIntegerField(_("priority"), db_default=0)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("assignee"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State)
    revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("revision"),
    )
    verdict = models.ForeignKey(
        "review.Decision",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("verdict"),
    )
    human_verified = models.GeneratedField(
        expression=Q(verdict__isnull=False),  # type: ignore[arg-type]  # a Q is one
        output_field=models.BooleanField(_("verified by a person")),
        db_persist=True,
        verbose_name=_("verified by a person"),
    )
    rights = models.ForeignKey(
        "review.Rights",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("rights"),
    )
    takedown = models.ForeignKey(
        "review.Takedown",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="records",
        db_index=False,
        verbose_name=_("takedown"),
    )
    retraction = models.ForeignKey(
        "review.Retraction",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="records",
        db_index=False,
        verbose_name=_("retraction"),
    )

    objects = RecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("record")
        verbose_name_plural = pgettext_lazy("things", "records")
        indexes: ClassVar = [
            *_queue_indexes(State.WAITING),
            *_queue_indexes(State.SECOND),
            *_queue_indexes(State.UNANSWERED),
            models.Index(
                fields=["-priority", "id"],
                name="review_record_disputed",
                condition=Q(state=State.DISPUTED) & LIVE,
            ),
            models.Index(
                fields=["assignee", "-priority", "id"],
                name="review_record_assigned",
                condition=Q(assignee__isnull=False) & UNDECIDED & LIVE,
            ),
            models.Index(
                fields=["source", "id"],
                name="review_record_approved",
                condition=Q(state=State.APPROVED) & LIVE,
            ),
            models.Index(fields=["batch", "id"], name="review_record_batch"),
            models.Index(
                fields=["source", "state", "id"],
                include=["batch", "rights"],
                name="review_record_counted",
                condition=LIVE,
            ),
            models.Index(
                fields=["source", "id"],
                name="review_record_sent_back",
                condition=SENT_BACK & LIVE,
            ),
            models.Index(
                fields=["takedown"],
                name="review_record_takedown",
                condition=Q(takedown__isnull=False),
            ),
            models.Index(
                fields=["retraction"],
                name="review_record_retraction",
                condition=Q(retraction__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="review_record_key",
                fields=["key"],
                condition=Q(retraction=None),
                violation_error_message=_("A record with this text exists already."),
            ),
            models.UniqueConstraint(
                name="review_record_external_id",
                fields=["source", "external_id"],
                condition=Q(external_id__isnull=False, retraction=None),
                violation_error_message=_("A record with this external id exists already in its source."),
            ),
            models.CheckConstraint(
                name="review_record_approved_has_verdict",
                condition=Q(state=State.APPROVED, verdict__isnull=False)
                | (~Q(state=State.APPROVED) & Q(verdict__isnull=True)),
                violation_error_message=_("A record is approved exactly when a decision justifies it."),
            ),
            models.CheckConstraint(name="review_record_state_known", condition=Q(state__in=State.values)),
            models.CheckConstraint(
                name="review_record_wanted_one_to_three",
                condition=Q(wanted__range=(1, 3)),
                violation_error_message=_("A record wants one to three decisions."),
            ),
            CompositeForeignKey(
                name="review_record_batch_of_source",
                columns=["batch_id", "source_id"],
                to="review.Batch",
                to_columns=["id", "source_id"],
            ),
            CompositeForeignKey(
                name="review_record_verdict_proves",
                columns=["verdict_id", "id", "revision_id", "human_verified"],
                to="review.Decision",
                to_columns=["id", "record_id", "revision_id", "approves"],
            ),
            CompositeForeignKey(
                name="review_record_own_revision",
                columns=["revision_id", "id"],
                to="review.Revision",
                to_columns=["id", "record_id"],
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            NoTruncate(name="no_truncate"),
            note_changed_wordings(),
            pgtrigger.Trigger(
                name="write_move",
                when=pgtrigger.After,
                level=pgtrigger.Statement,
                operation=pgtrigger.Update,
                referencing=pgtrigger.Referencing(old="before", new="after"),
                func=pgtrigger.Func("""
                    INSERT INTO review_move (record_id, from_state, to_state, round, revision_id, verdict_id,
                        rights_id, takedown_id, retraction_id, cause, by_id, at)
                    SELECT after.id, before.state, after.state, after.round, after.revision_id, after.verdict_id,
                        after.rights_id, after.takedown_id, after.retraction_id,
                        COALESCE(current_setting('cqia.cause', true), ''),
                        NULLIF(current_setting('cqia.by', true), '')::bigint, clock_timestamp()
                    FROM before JOIN after USING (id)
                    WHERE (before.state, before.round, before.revision_id, before.verdict_id, before.rights_id,
                           before.takedown_id, before.retraction_id, before.key, before.source_id, before.batch_id)
                        IS DISTINCT FROM
                          (after.state, after.round, after.revision_id, after.verdict_id, after.rights_id,
                           after.takedown_id, after.retraction_id, after.key, after.source_id, after.batch_id);
                    PERFORM set_config('cqia.cause', '', true);
                    RETURN NULL;
                """),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
