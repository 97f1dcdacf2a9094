"""Setting the flags of a source anew, after a rule or a switch has changed: portion by portion, behind the work.

Only the flags of current wordings are written: they follow from text and rules. Texts, decisions and what proves them
stay untouched, and so does how many looks a record wants, which was drawn when it came in.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from review import access
from review.flags import Places, places
from review.models import Flag, Record, Reflagging
from review.models.clock import ClockTimestamp
from review.refused import Refused

if TYPE_CHECKING:
    from review.models import Source, User

PORTION = 1_000

type Found = dict[str, list[list[object]]]
"""The places of one wording by rule, as they are stored."""


def start(source: "Source", *, by: "User | None") -> Reflagging:
    """Ask for it; `run` does it. Raises Refused while it is being done already."""
    access.check_manage(by)
    number = Record.objects.filter(source=source).count()
    try:
        with transaction.atomic():
            return Reflagging.objects.create(source=source, number=number, by=by)
    except IntegrityError as error:
        raise Refused(_("The flags of this source are being set anew already.")) from error


def run(pk: int, *, progress: Callable[[int, int], object] = lambda _done, _all: None) -> None:
    """Do it from where it stopped to its end; two at a time do it once."""
    while (done := _portion(pk)) is not None:
        progress(done.read, done.number)


def unfinished() -> list[int]:
    """Return those that have records before them."""
    return list(Reflagging.objects.filter(state=Reflagging.State.RUNNING).order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _portion(pk: int) -> Reflagging | None:
    """Go through the next records; None when nothing is left to do, or another worker is at it."""
    running = Reflagging.objects.select_for_update(skip_locked=True, of=("self",)).select_related("source")
    going = running.filter(pk=pk, state=Reflagging.State.RUNNING).first()
    if going is None:
        return None
    following = Record.objects.filter(source=going.source, pk__gt=going.position).order_by("pk")
    records = list(following.select_related("revision")[:PORTION])
    if records:
        _flag(records, going)
        going.position = records[-1].pk
        going.read += len(records)
    else:
        going.state, going.ended_at = Reflagging.State.DONE, ClockTimestamp()
    going.save()
    return going


def _flag(records: Sequence[Record], going: Reflagging) -> None:
    """Write what the flags find in these wordings, where it is not what is there."""
    wordings = {record.revision_id: record.revision for record in records}
    stored: dict[int, Found] = {pk: {} for pk in wordings}
    rows: dict[tuple[int, str], int] = {}
    for flag in Flag.objects.filter(revision__in=wordings):
        stored[flag.revision_id][flag.rule] = flag.spans
        rows[flag.revision_id, flag.rule] = flag.pk
    gone: list[int] = []
    fresh: list[Flag] = []
    added, removed = Counter(going.added), Counter(going.removed)
    for pk, wording in wordings.items():
        had, has = stored[pk], _stored(places(wording.texts(going.source), source=going.source))
        if had == has:
            continue
        going.changed += 1
        added.update(has.keys() - had.keys())
        removed.update(had.keys() - has.keys())
        gone += [rows[pk, rule] for rule in had if has.get(rule) != had[rule]]
        fresh += [
            Flag(record_id=wording.record_id, revision_id=pk, rule=rule, spans=spans)
            for rule, spans in has.items()
            if had.get(rule) != spans
        ]
    Flag.objects.filter(pk__in=gone).delete()
    Flag.objects.bulk_create(fresh)
    going.added, going.removed = dict(added), dict(removed)


def _stored(found: Places) -> Found:
    return {rule: [list(span) for span in spans] for rule, spans in found.items()}
