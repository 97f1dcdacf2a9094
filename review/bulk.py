"""What a manager does to many records at once: assign, prioritise, label, set rights, send back, and undo it.

Approving is not among it: that takes a person for every single text. What is confirmed is done in portions, each with
its history in one transaction, by a worker where it is much; a portion that was lost is done again.
"""

from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from review import access, decisions, flags, rights, sending_back, workflow
from review.decisions import Wording
from review.models import (
    BulkAction,
    BulkChange,
    Cause,
    Claim,
    Decision,
    Record,
    Revision,
    Rights,
    State,
    User,
)
from review.models.clock import ClockTimestamp
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models.expressions import Combinable

    from review.models.record import RecordQuerySet

    type Parameters = dict[str, Any]
    type Change = tuple[int, int | None, int | None]

PORTION = 1_000
AT_ONCE = 500
"""Records up to which an action is done while its page waits."""
_UNDECIDED = (State.WAITING, State.SECOND, State.UNANSWERED)


class Plan(NamedTuple):
    """What an action would do: how many records it would change, and how many of those asked for it would leave."""

    number: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Verb:
    """One kind of action: which records it may change, and how some of them are changed and changed back.

    `do` returns (record, before, after) of what it changed; both are ids or numbers of what the action is about.
    """

    eligible: "Q | Combinable"
    do: "Callable[[RecordQuerySet, Parameters, User], list[Change]]"
    undo: "Callable[[Sequence[BulkChange], User], None]"


def plan(kind: str, records: "RecordQuerySet") -> Plan:
    """Count what an action would change of the records asked for."""
    asked = records.order_by().count()
    number = records.filter(VERBS[kind].eligible).order_by().count()
    return Plan(number, asked - number)


@transaction.atomic
def start(*, by: User, kind: str, records: "RecordQuerySet", parameters: "Parameters", asked: str = "") -> BulkAction:
    """Confirm an action on the records that can be changed at this moment; `run` does it."""
    access.check_manage(by)
    if kind not in VERBS:
        raise Refused(_("There is no such action."), ground=Ground.INVALID)
    chosen = records & Record.objects.for_user(by).filter(VERBS[kind].eligible)
    ids = array("q", chosen.order_by("pk").values_list("pk", flat=True))
    if not ids:
        raise Refused(_("None of these records can be changed in this way."))
    return BulkAction.objects.create(
        by=by, kind=kind, parameters=parameters, asked=asked, targets=ids.tobytes(), number=len(ids)
    )


def run(action: int) -> None:
    """Do an action, or undo it, from where it stopped to its end; two at a time do it once."""
    while _portion(action):
        pass


@transaction.atomic
def _portion(pk: int) -> bool:
    """Go through the next records of an action; False when nothing is left to do, or another worker is at it."""
    open_states = [BulkAction.State.RUNNING, BulkAction.State.UNDOING]
    actions = BulkAction.objects.select_for_update(skip_locked=True, of=("self",)).select_related("by", "undone_by")
    action = actions.filter(pk=pk, state__in=open_states).first()
    if action is None:
        return False
    ids = array("q", bytes(action.targets))[action.position : action.position + PORTION]
    if ids:
        (_undo if action.state == BulkAction.State.UNDOING else _do)(action, list(ids))
    action.position += len(ids)
    if action.position >= action.number:
        is_back = action.state == BulkAction.State.UNDOING
        action.state = BulkAction.State.UNDONE if is_back else BulkAction.State.DONE
    action.save(update_fields=["position", "state"])
    return action.state in open_states


def _do(action: BulkAction, ids: "list[int]") -> None:
    verb = VERBS[action.kind]
    locked = (
        Record.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk").values_list("pk", flat=True)
    )
    records = Record.objects.filter(verb.eligible, pk__in=list(locked))
    changed = verb.do(records, action.parameters, action.by)
    BulkChange.objects.bulk_create(
        BulkChange(action=action, record_id=record, before=before, after=after) for record, before, after in changed
    )


def _undo(action: BulkAction, ids: "list[int]") -> None:
    list(Record.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk", flat=True))
    changes = list(BulkChange.objects.filter(action=action, record__in=ids).order_by("record"))
    VERBS[action.kind].undo(changes, action.undone_by or action.by)


@transaction.atomic
def undo(*, by: User, action: BulkAction) -> None:
    """Begin to take an action back: every record that nobody has changed since gets what it had before."""
    access.check_manage(by)
    if action.kind == BulkAction.Kind.SEND_BACK:
        raise Refused(_("What was sent back is decided anew: that cannot be undone."))
    done = BulkAction.objects.filter(pk=action.pk, state=BulkAction.State.DONE)
    if not done.update(state=BulkAction.State.UNDOING, position=0, undone_by=by, undone_at=Now()):
        raise Refused(_("This action is not done yet, or was undone already."))
    action.refresh_from_db()


def unfinished() -> list[int]:
    """Return the actions that have records before them."""
    running = BulkAction.objects.filter(state__in=[BulkAction.State.RUNNING, BulkAction.State.UNDOING])
    return list(running.order_by("pk").values_list("pk", flat=True))


def _set(field: str, value: int | None, records: "RecordQuerySet") -> "list[Change]":
    """Give all records one value in a column that no history row is kept of elsewhere."""
    before = list(records.exclude(**{field: value}).order_by("pk").values_list("pk", field))
    Record.objects.filter(pk__in=[pk for pk, _value in before]).update(**{field: value})
    return [(pk, old, value) for pk, old in before]


def _reset(field: str, changes: "Sequence[BulkChange]") -> None:
    """Give back what was there before, where what the action set is there still."""
    for before in {change.before for change in changes}:
        back = [change for change in changes if change.before == before]
        for after in {change.after for change in back}:
            same = [change.record_id for change in back if change.after == after]
            Record.objects.filter(pk__in=same, **{field: after}).update(**{field: before})


def _assign(records: "RecordQuerySet", parameters: "Parameters", _by: User) -> "list[Change]":
    return _set("assignee", parameters["assignee"], records)


def _unassign(changes: "Sequence[BulkChange]", _by: User) -> None:
    _reset("assignee", changes)


def _prioritise(records: "RecordQuerySet", parameters: "Parameters", _by: User) -> "list[Change]":
    return _set("priority", parameters["priority"], records)


def _deprioritise(changes: "Sequence[BulkChange]", _by: User) -> None:
    _reset("priority", changes)


def _label(records: "RecordQuerySet", parameters: "Parameters", by: User) -> "list[Change]":
    """Write another revision of each record, with the labels that it is to bear."""
    chosen = list(records.select_related("revision", "source").order_by("pk"))
    numbers = Revision.objects.filter(record__in=chosen).order_by().values("record").annotate(highest=Max("number"))
    highest = dict(numbers.values_list("record", "highest"))
    labelled = [
        (record, decisions.revision_of(record, wording, by=by, number=highest[record.pk] + 1))
        for record in chosen
        for wording in [_labelled(Wording.of(record.revision), parameters)]
        if wording != Wording.of(record.revision)
    ]
    Revision.objects.bulk_create([revision for _record, revision in labelled])
    for record, revision in labelled:
        flags.write_flags(revision, source=record.source)
    rows = [(record.pk, revision.pk, bytes(record.key), record.state) for record, revision in labelled]
    workflow.replace_wording(rows, cause=Cause.LABEL, by=by)
    return [(record.pk, record.revision_id, revision.pk) for record, revision in labelled]


def _labelled(wording: Wording, parameters: "Parameters") -> Wording:
    given = {kind: tuple(parameters[kind]) for kind in ("major", "minor", "domain") if parameters.get(kind)}
    if parameters.get("mode") == "add":
        given = {kind: tuple(dict.fromkeys([*getattr(wording, kind), *labels])) for kind, labels in given.items()}
    return replace(wording, **given)  # type: ignore[arg-type]  # labels they are


def _unlabel(changes: "Sequence[BulkChange]", by: User) -> None:
    records = Record.objects.in_bulk([change.record_id for change in changes])
    back = [change for change in changes if records[change.record_id].revision_id == change.after]
    rows = [
        (change.record_id, change.before or 0, bytes(records[change.record_id].key), records[change.record_id].state)
        for change in back
    ]
    workflow.replace_wording(rows, cause=Cause.LABEL, by=by)


def _set_rights(records: "RecordQuerySet", parameters: "Parameters", by: User) -> "list[Change]":
    chosen = list(records.order_by("pk").values_list("pk", "rights"))
    written = rights.write_many([pk for pk, _rights in chosen], by=by, **parameters)
    latest = Rights.objects.filter(record=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    ids = [pk for pk, _rights in chosen]
    workflow.move(Record.objects.filter(pk__in=ids), cause=Cause.RIGHTS, by=by, rights=models.Subquery(latest))
    return [(pk, before, written[pk]) for pk, before in chosen]


def _unset_rights(changes: "Sequence[BulkChange]", by: User) -> None:
    for before in {change.before for change in changes}:
        back = [change for change in changes if change.before == before]
        pairs = Q(pk__in=[change.record_id for change in back], rights__in=[change.after for change in back])
        workflow.move(Record.objects.filter(pairs), cause=Cause.RIGHTS, by=by, rights=before)


def _send_back(records: "RecordQuerySet", parameters: "Parameters", by: User) -> "list[Change]":
    ids = list(records.order_by("pk").values_list("pk", "round"))
    to = parameters.get("to")
    person: Any = User.objects.get(pk=to) if isinstance(to, int) else to
    if ids:
        sending_back.send_back(
            by=by, records=[pk for pk, _round in ids], reason=parameters["reason"], to=person or None
        )
    return [(pk, number, number + 1) for pk, number in ids]


def _stays(_changes: "Sequence[BulkChange]", _by: User) -> None:
    raise Refused(_("What was sent back is decided anew: that cannot be undone."))


_LIVE = Q(takedown=None, retraction=None)
_UNTOUCHED = (
    Q(state__in=[State.WAITING, State.UNANSWERED])
    & ~Exists(Decision.objects.filter(record=OuterRef("pk")))
    & ~Exists(Claim.objects.filter(record=OuterRef("pk"), lease_until__gt=ClockTimestamp()))
)
_DECIDED = Exists(
    Decision.objects.filter(
        record=OuterRef("pk"), round=OuterRef("round"), kind__in=["review", "settle"], withdrawal=None
    )
)
VERBS: dict[str, Verb] = {
    BulkAction.Kind.ASSIGN: Verb(_LIVE & Q(state__in=_UNDECIDED), _assign, _unassign),
    BulkAction.Kind.PRIORITISE: Verb(_LIVE & Q(state__in=_UNDECIDED), _prioritise, _deprioritise),
    BulkAction.Kind.LABEL: Verb(_LIVE & _UNTOUCHED, _label, _unlabel),
    BulkAction.Kind.RIGHTS: Verb(_LIVE, _set_rights, _unset_rights),
    BulkAction.Kind.SEND_BACK: Verb(_LIVE & ~Q(state=State.UNANSWERED) & _DECIDED, _send_back, _stays),
}
"""The actions there are, by kind."""
