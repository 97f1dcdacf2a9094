"""Taking back a whole import."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery
from django.utils.translation import gettext as _

from review import access, duplicates, workflow
from review.models import Batch, Cause, Claim, Decision, Record, Retraction, Revision, State
from review.refused import Refused
from review.text.signature import duplicate_key

if TYPE_CHECKING:
    from review.models import User


@transaction.atomic
def retract(batch: Batch, *, by: "User | None", reason: str = "") -> Retraction:
    """Take back everything that came in with `batch`: its records leave queue, search and releases.

    Records that it only gave another wording go back to the wording before, where nobody has decided on them yet.
    Their keys are free again: importing the same file once more loads it anew.
    """
    access.check_retract(by)
    if Retraction.objects.filter(batch=batch).exists():
        raise Refused(_("This import was taken back already."))
    retraction = Retraction.objects.create(batch=batch, by=by, reason=reason)
    loaded = Record.objects.filter(batch=batch, retraction=None)
    Claim.objects.filter(record__in=loaded).delete()
    workflow.move(loaded, cause=Cause.RETRACT, by=by, retraction=retraction)
    _restore_wordings(batch, by)
    duplicates.drop_pairs_of(batch.pk)
    return retraction


def _restore_wordings(batch: Batch, by: "User | None") -> None:
    reworded = Record.objects.filter(
        ~Exists(Decision.objects.filter(record=OuterRef("pk"))),
        revision__batch=batch,
        state__in=[State.WAITING, State.UNANSWERED],
        retraction=None,
    ).exclude(batch=batch)
    before = (
        Revision.objects.filter(record=OuterRef("pk"), number__lt=OuterRef("revision__number"), batch__retraction=None)
        .order_by("-number")
        .values("pk")[:1]
    )
    earlier = reworded.annotate(before=Subquery(before)).exclude(before=None).values_list("before", flat=True)
    revisions = Revision.objects.in_bulk(list(earlier)).values()
    keys = {revision.pk: duplicate_key(revision.instruction, revision.input, revision.output) for revision in revisions}
    taken = {
        bytes(key)
        for key in Record.objects.filter(key__in=keys.values(), retraction=None).values_list("key", flat=True)
    }
    rows = [
        (
            revision.record_id,
            revision.pk,
            keys[revision.pk],
            State.WAITING if revision.output.strip() else State.UNANSWERED,
        )
        for revision in revisions
        if keys[revision.pk] not in taken
    ]
    workflow.replace_wording(rows, cause=Cause.RETRACT, by=by)
