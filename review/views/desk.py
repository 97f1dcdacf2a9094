"""What lies before the reviewer: one record, what stands in its fields, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID, uuid4

from django.http import Http404
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from review import access, blind
from review.beside import Beside, beside
from review.decisions import LOOKED_AT, OPEN
from review.forms import LABELS, SAID, TEXTS, Reason, RecordForm, one_line, started_now, unix
from review.models import (
    NO_COPYRIGHT_STATED,
    AnswerFrom,
    Decision,
    Draft,
    Label,
    Licence,
    Record,
    Revision,
    Source,
    State,
)
from review.prepared import STAND_IN, Prepared
from review.refused import Refused
from review.rights import published_text
from review.text.rules import FIELDS, Texts
from review.views.reading import Place, Reading, flagged, read
from review.waiting import running_claim

if TYPE_CHECKING:
    from review.models import Claim, Rights, User

CONTENT = (*TEXTS, *LABELS, "answer_from")
COLUMNS, MOST_ROWS = 40, 60


class InEffect(NamedTuple):
    """The rights in effect, and whose they are: the record's own, its batch's, its source's, or nobody's."""

    rights: "Rights | None"
    origin: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return those of a record that was fetched with the rights of all three."""
        owned = {"record": record.rights, "batch": record.batch.rights, "source": record.source.rights}
        return next((cls(rights, origin) for origin, rights in owned.items() if rights), cls(None, ""))

    @property
    def licence(self) -> Licence:
        return Licence(self.rights.licence) if self.rights else Licence.UNKNOWN

    @property
    def copyright(self) -> str:
        return self.rights.published_text if self.rights else NO_COPYRIGHT_STATED

    @property
    def reach(self) -> str:
        return reach_of(self.licence)


def reach_of(licence: Licence) -> str:
    """Return how far a text goes: into `every` release, `research` only, `inside` only, `nowhere`."""
    if licence in Licence.never_leaving():
        return "nowhere"
    if licence in Licence.open():
        return "every"
    return "research" if licence in Licence.research() else "inside"


class Merged(NamedTuple):
    """What a person typed, laid over a text that has changed since they saw it.

    `values` stand in the fields; `now` is the new text of the fields where both were changed; `updated` names those
    that only the others changed.
    """

    values: dict[str, str]
    now: dict[str, str]
    updated: frozenset[str]

    @classmethod
    def of(cls, typed: dict[str, str], seen: dict[str, str], current: dict[str, str]) -> Self:
        changed = {name for name in CONTENT if current[name] != seen[name]}
        updated = frozenset(name for name in changed if typed[name] == seen[name])
        both = {name for name in changed - updated if typed[name] != current[name]}
        values = typed | {name: current[name] for name in updated}
        return cls(values, {name: current[name] for name in both}, updated)


class TextBox(NamedTuple):
    """One of the three texts as it is edited; `now` is the new text beside what was typed, where there is one."""

    name: str
    label: str
    value: str
    now: str | None
    is_updated: bool
    error: str
    flagged: list[Place]

    @property
    def reading(self) -> Reading:
        """The text with what deserves a look in it."""
        return read(self.value, self.flagged)

    @property
    def rows(self) -> int:
        """The lines to give the text where the browser does not fit the field to it."""
        return min(sum(1 + len(line) // COLUMNS for line in self.value.split("\n")) + 1, MOST_ROWS)


class LabelGroup(NamedTuple):
    """The labels of one kind."""

    name: str
    label: str
    words: list[str]
    error: str


@dataclass
class Desk:
    """One record before one person."""

    record: Record
    claim: "Claim | None"
    beside: Beside
    is_mine: bool
    is_editable: bool
    merged: Merged
    draft: Draft | None = None
    opinions: list[Decision] = field(default_factory=list)
    refused: Refused | None = None
    tried: str = ""
    """The verdict that was refused."""
    request_id: UUID = field(default_factory=uuid4)

    @property
    def started(self) -> str:
        return started_now(self.record.pk)

    @property
    def in_effect(self) -> InEffect:
        return InEffect.of(self.record)

    @property
    def is_open(self) -> bool:
        return is_open(self.record)

    @property
    def is_settling(self) -> bool:
        return self.record.state == State.DISPUTED

    @property
    def is_unanswered(self) -> bool:
        return self.record.state == State.UNANSWERED

    @property
    def errors(self) -> dict[str, str]:
        return self.refused.fields if self.refused else {}

    @property
    def asks(self) -> str:
        """The verdict whose panel asks for the reason that is missing; empty when none is."""
        return self.tried if "reason" in self.errors else ""

    @property
    def texts(self) -> list[TextBox]:
        """The texts, in the order of reading."""
        labels = {"instruction": _("Instruction"), "input": _("Input"), "output": _("Answer")}
        return [self._box(name, label) for name, label in labels.items()]

    def _box(self, name: str, label: str) -> TextBox:
        values, now, updated = self.merged
        places = self.flagged.get(name, [])
        return TextBox(name, label, values[name], now.get(name), name in updated, self.errors.get(name, ""), places)

    @cached_property
    def flagged(self) -> dict[str, list[Place]]:
        """What the rules find in what stands in the fields, by field."""
        values = self.merged.values
        instruction, input_, output, metadata = (self.as_stored(name) for name in TEXTS)
        major, minor, domain = ([word for word in values[name].split("\n") if word] for name in LABELS)
        answer_from, names = values["answer_from"], self.record.source.names
        given = Texts(instruction, input_, output, metadata, major, minor, domain, answer_from, names)
        return flagged(given, source=self.record.source)

    def as_stored(self, name: str) -> str:
        """Return what stands in a field; where it was left alone, with the line ends that the record has."""
        stored: str = getattr(self.record.revision, name)
        return stored if unix(stored) == self.merged.values[name] else self.merged.values[name]

    @property
    def flags_elsewhere(self) -> list[str]:
        """What the rules say of labels and of all else that is no text to point at."""
        places = (place for name, found in self.flagged.items() if name not in FIELDS for place in found)
        return list(dict.fromkeys(place.sentence for place in places))

    @property
    def labels(self) -> list[LabelGroup]:
        """The labels by kind."""
        kinds = {"major": _("Main task types"), "minor": _("Fine task types"), "domain": _("Domains")}
        words = {name: [word for word in self.merged.values[name].split("\n") if word] for name in kinds}
        return [LabelGroup(name, label, words[name], self.errors.get(name, "")) for name, label in kinds.items()]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the person had typed of a record that they cannot edit now: the fields that differ from it."""
        if self.draft is None or self.is_editable:
            return []
        typed, current = self.draft.fields, self.merged.values
        return [(box.label, typed[box.name]) for box in self.texts if typed.get(box.name, "") != current[box.name]]


def find_record(pk: int, *, by: "User", related: Sequence[str] = LOOKED_AT) -> Record:
    """Fetch a record with what the workbench shows of it; 404 where the person may not see its source."""
    record = _fetched_with(*related).first(pk)
    if record is None or not access.can_see(by, record.source_id):
        raise Http404
    if record.takedown_id:
        conceal(record.revision)
    return blind.as_seen_by(by, record)


@cache
def _fetched_with(*related: str) -> Prepared[Record]:
    """Return the query for a record with what is fetched along with it."""
    return Prepared(lambda pk: Record.objects.select_related(*related).filter(pk=pk), STAND_IN)


def conceal(revision: Revision) -> None:
    """Show nothing of a text that was taken down: the page says so instead."""
    for name in TEXTS:
        setattr(revision, name, "")


def lay_out(record: Record, *, by: "User", claim: "Claim | None" = None) -> Desk:
    """Put a record before the person, with the draft that they left where they hold it."""
    claim = claim or (running_claim(record.pk, by) if is_open(record) else None)
    mine = claim is not None and claim.reviewer_id == by.pk
    editable = mine and is_open(record)
    around = beside(record, by=by)
    drafts = Draft.objects.select_related("seen_revision").filter(record=record, reviewer=by)
    draft = drafts.first() if around.has_draft else None
    current = shown(record, record.revision)
    merged = Merged(current, {}, frozenset())
    if record.takedown_id:
        return Desk(record, None, Beside(), is_mine=False, is_editable=False, merged=merged)
    if draft and editable:
        merged = Merged.of(current | draft.fields, shown(record, draft.seen_revision), current)
    return Desk(record, claim, around, mine, editable, merged, draft, _opinions(record, by))


def lay_out_again(record: Record, form: RecordForm, refused: Refused, *, by: "User") -> Desk:
    """Put the record before the person as it is by now, with all that they typed and the reason for the refusal."""
    claim = running_claim(record.pk, by) if is_open(record) else None
    mine = claim is not None and claim.reviewer_id == by.pk
    current = shown(record, record.revision)
    merged = Merged.of(current | form.typed(), shown(record, _seen(form, record)), current)
    editable = is_open(record) and (mine or claim is None)
    around, opinions, tried = beside(record, by=by), _opinions(record, by), form.data.get("verdict", "")
    return Desk(record, claim, around, mine, editable, merged, None, opinions, refused, tried)


def lay_out_typed(record: Record, form: RecordForm, *, by: "User") -> Desk:
    """Put the record before the person with what they have typed by now, on the text that they saw."""
    claim = running_claim(record.pk, by)
    mine = claim is not None and claim.reviewer_id == by.pk
    merged = Merged(shown(record, _seen(form, record)) | form.typed(), {}, frozenset())
    return Desk(record, claim, Beside(), mine, is_open(record) and mine, merged)


def _seen(form: RecordForm, record: Record) -> "Revision":
    try:
        return form.seen(record)
    except Refused:
        return record.revision


def is_open(record: Record) -> bool:
    """Tell whether there is something left to decide."""
    return record.state in OPEN and record.takedown_id is None and record.retraction_id is None


def _opinions(record: Record, by: "User") -> list[Decision]:
    """Return what was decided in this round, for the settler: nobody else sees it before the outcome."""
    if record.state != State.DISPUTED or not access.can_settle(by):
        return []
    decisions = Decision.objects.filter(record=record, round=record.round, withdrawal=None)
    return list(decisions.select_related("reviewer", "revision").order_by("pk"))


def shown(record: Record, revision: "Revision") -> dict[str, str]:
    """Return what stands in the fields before anybody types, one string a field."""
    labels = {"major": revision.task_type["major"], "minor": revision.task_type["minor"], "domain": revision.domain}
    return (
        {name: unix(getattr(revision, name)) for name in TEXTS}
        | {name: "\n".join(one_line(label) for label in given) for name, given in labels.items()}
        | {"answer_from": revision.answer_from or record.source.answer_from}
        | _rights_shown(InEffect.of(record))
        | dict.fromkeys(SAID, "")
    )


def _rights_shown(effect: InEffect) -> dict[str, str]:
    rights = effect.rights
    holder = rights.holder if rights else ""
    worded = rights.published_text if rights else ""
    return {
        "rights_said": "confirm",
        "licence": effect.licence.value,
        "holder": holder,
        "copyright_text": "" if worded == published_text(effect.licence, holder) else worded,
        "source_address": rights.source_address if rights else "",
    }


def field_words() -> list[tuple[str, str]]:
    """Return the fields of a wording with their names, in the order of reading."""
    words = (_("Instruction"), _("Input"), _("Answer"), _("Main task types"), _("Fine task types"), _("Domains"))
    names = ("instruction", "input", "output", "major", "minor", "domain", "metadata", "answer_from")
    return list(zip(names, (*words, _("Metadata"), _("Answer written by")), strict=True))


def choices() -> dict[str, Any]:
    """Return what the fields of every record choose from, in the language in use."""
    return _choices(get_language() or "")


@cache
def _choices(_language: str) -> dict[str, tuple[tuple[str, str], ...]]:
    given: dict[str, list[tuple[str, Any]]] = {
        "licences": [choice for choice in Licence.choices if choice[0] != Licence.OBJECTED],
        "authors": [("", "—"), *AnswerFrom.choices],
        "reasons": list(Reason.choices),
    }
    return {name: tuple((value, str(label)) for value, label in listed) for name, listed in given.items()}


def vocabulary() -> dict[str, list[str]]:
    """Return, by kind, the labels to suggest: those of the sources, and those that are kept as labels."""
    words: dict[str, dict[str, None]] = {kind: {} for kind in LABELS}
    for source in Source.objects.only(*LABELS).order_by("position"):
        for kind in LABELS:
            words[kind] |= dict.fromkeys(getattr(source, kind))
    for kind, name in Label.objects.filter(alias_of=None).order_by("name").values_list("kind", "name"):
        words[kind][name] = None
    return {kind: list(names) for kind, names in words.items()}
