"""Going back to an earlier wording: as a new revision, never by changing what was written."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from review import access, sending_back, workflow
from review.models import Cause, Record, Revision, State
from review.refused import Refused

if TYPE_CHECKING:
    from review.models import User

_SAME = ("instruction", "input", "output", "task_type", "domain", "metadata", "answer_from", "sha256")


@transaction.atomic
def restore_wording(*, by: "User", revision: Revision, reason: str) -> Revision:
    """Make an earlier wording current again, as a new revision; what was decided on the later one is sent back.

    Refused where the wording is current already or has no answer, and on records that are taken down or not waited for.
    """
    access.check_send_back(by)
    record = Record.objects.select_for_update().get(pk=revision.record_id)
    access.check_source(by, record.source)
    _check_may_restore(record, revision)
    if record.decisions.filter(round=record.round, withdrawal=None, kind__in=["review", "settle"]).exists():
        sending_back.send_back(by=by, records=[record.pk], reason=reason)
    highest = Revision.objects.filter(record=record).aggregate(highest=Max("number"))["highest"]
    same = {name: getattr(revision, name) for name in _SAME}
    restored = Revision.objects.create(**same, record=record, number=highest + 1, author=by)
    record.claims.filter(purpose__in=["review", "settle"]).delete()
    moved = Record.objects.filter(pk=record.pk)
    workflow.move(moved, cause=Cause.SEND_BACK, by=by, revision=restored, state=State.WAITING)
    return restored


def _check_may_restore(record: Record, revision: Revision) -> None:
    if record.takedown_id or record.retraction_id:
        raise Refused(_("This record was taken down or its import was taken back. There is nothing left to decide."))
    if bytes(record.revision.sha256) == bytes(revision.sha256):
        raise Refused(_("This is the wording that the record has now."))
    if not revision.output.strip():
        raise Refused(_("This wording has no answer. Take it up in the workbench and write one."))
    if record.state == State.UNANSWERED:
        raise Refused(_("This record waits for an answer. Take it up in the workbench instead."))
