"""What a reviewer sends: the texts and labels of a record, what they say of its rights, and their verdict.

A browser does not send back what it was shown: line ends become CRLF, a lone carriage return a line end, and line ends
inside a one-line field are dropped. What differs from the text seen by no more than that was not edited.
"""

import re
import time
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.signing import BadSignature, Signer
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from review.decisions import Judgement, SaidOfRights, Wording
from review.models import AnswerFrom, Category, Claim, Decision, Licence, Source, Verdict
from review.refused import Ground, Refused
from review.text.rules import RULES, Kind
from review.text.strict import MAX_FIELD_CHARACTERS, MAX_LABEL_CHARACTERS, MAX_LABELS
from review.waiting import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.http import QueryDict  # noqa: TID251  what a form is given, named for the type checker

    from review.models import Record, Revision

TEXTS = ("instruction", "input", "output", "metadata")
LABELS = ("major", "minor", "domain")
SAID = ("reason", "question", "skip_reason")
RIGHTS = ("rights_said", "licence", "holder", "copyright_text", "source_address")
LONGEST_SITTING = 24 * 3600
_LINE_END = re.compile(r"(\r\n|\r|\n)")
_ALIGNABLE = 1_000_000
_STARTED = "review.started"


class Reason(models.TextChoices):
    """Why records are rejected, ready to be chosen; any other words will do as well."""

    WRONG = "wrong", _("The answer is wrong")
    BESIDE = "beside-the-point", _("The answer misses the question")
    CUT_OFF = "cut-off", _("The text is cut off or garbled")
    EMPTY = "empty-words", _("Empty words, of no use for training")
    PROMOTION = "promotion", _("Advertising or leftovers of the web page")
    PRIVATE = "personal-data", _("Personal data")
    HARMFUL = "harmful", _("Harmful or unlawful")
    DUPLICATE = "duplicate", _("A duplicate of another record")


def unix(text: str) -> str:
    """Return the text with every line end as LF, as a text area holds it."""
    return _LINE_END.sub("\n", text)


def one_line(text: str) -> str:
    """Return the text as a one-line field holds it."""
    return _LINE_END.sub("", text)


def as_meant(typed: str, seen: str) -> str:
    """Return what was meant by `typed`: `seen` itself when nothing was edited.

    After an edit the lines that were left alone keep the line ends that they had, a carriage return included.
    """
    plain = unix(typed)
    if "\r" not in seen:
        return plain
    return seen if plain == unix(seen) else _with_line_ends(plain.split("\n"), seen)


def _with_line_ends(lines: list[str], seen: str) -> str:
    pieces = _LINE_END.split(seen)
    seen_lines, seen_ends = pieces[0::2], pieces[1::2]
    ends = ["\n"] * (len(lines) - 1)
    for typed_at, seen_at in _kept_lines(lines, seen_lines):
        if typed_at < len(ends) and seen_at < len(seen_ends):
            ends[typed_at] = seen_ends[seen_at]
    for at, (end, line, following) in enumerate(zip(ends, lines[1:], ends[1:], strict=False)):
        if end == "\r" and not line and following.startswith("\n"):
            ends[at] = "\n"  # else the two would read as one line end
    return "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))


def _kept_lines(lines: list[str], seen: list[str]) -> "Iterable[tuple[int, int]]":
    """Yield (position in `lines`, position in `seen`) of the lines that correspond."""
    shorter = min(len(lines), len(seen))
    head = next((i for i in range(shorter) if lines[i] != seen[i]), shorter)
    tail = next((i for i in range(shorter - head) if lines[-1 - i] != seen[-1 - i]), shorter - head)
    yield from ((i, i) for i in range(head))
    yield from ((len(lines) - i, len(seen) - i) for i in range(1, tail + 1))
    middle, seen_middle = lines[head : len(lines) - tail], seen[head : len(seen) - tail]
    if len(middle) * len(seen_middle) > _ALIGNABLE:
        return
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, middle, seen_middle, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and i2 - i1 == j2 - j1):
            yield from zip(range(head + i1, head + i2), range(head + j1, head + j2), strict=True)


def labels_as_meant(typed: "Sequence[str]", seen: "Sequence[str]") -> tuple[str, ...]:
    """Return the labels meant: those `seen` when nothing was edited, else each once and without blanks around it."""
    shown = {one_line(label): label for label in seen}
    if [label for label in typed if label] == [one_line(label) for label in seen if one_line(label)]:
        return tuple(seen)
    meant = (shown.get(label, label.strip()) for label in typed)
    return tuple(dict.fromkeys(label for label in meant if label.strip()))


class TextField(forms.CharField):
    """A text of any length that the system takes, kept as it is."""

    def __init__(self, *, max_length: int = MAX_FIELD_CHARACTERS) -> None:
        super().__init__(required=False, strip=False, max_length=max_length)

    def to_python(self, value: object) -> str:
        return unix(super().to_python(value) or "")


class LabelsField(forms.Field):
    """Several labels: as many fields of one name."""

    widget = forms.MultipleHiddenInput

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: list[str] | None) -> list[str]:
        return list(value or [])

    def validate(self, value: list[str]) -> None:
        given = [label for label in value if label]
        if len(given) > MAX_LABELS:
            raise forms.ValidationError(_("Too many labels: keep those that matter."))
        for label in given:
            ProhibitNullCharactersValidator()(label)
            MaxLengthValidator(MAX_LABEL_CHARACTERS)(label)


class SharedFields(dict[str, forms.Field]):
    """The fields of a form that changes none of them: to copy them for each form takes longer than to fill it in."""

    def __deepcopy__(self, _memo: object) -> dict[str, forms.Field]:
        return dict(self)


def sharing_fields[Form: type[forms.Form]](form: Form) -> Form:
    """Have all forms of this class use the same fields."""
    form.base_fields = SharedFields(form.base_fields)
    return form


@sharing_fields
class QueueForm(forms.Form):
    """Which part of the queue a person works through; it goes along from record to record.

    None of its fields has the name of a field of a record: both are sent together.
    """

    purpose = forms.ChoiceField(required=False, choices=[(Claim.Purpose.REVIEW, ""), (Claim.Purpose.SETTLE, "")])
    source = forms.ModelChoiceField(required=False, queryset=Source.objects.all(), to_field_name="slug")
    category = forms.ModelChoiceField(required=False, queryset=Category.objects.all(), to_field_name="slug")
    with_major = forms.CharField(required=False, max_length=MAX_LABEL_CHARACTERS)
    with_minor = forms.CharField(required=False, max_length=MAX_LABEL_CHARACTERS)
    with_domain = forms.CharField(required=False, max_length=MAX_LABEL_CHARACTERS)
    shortest = forms.IntegerField(required=False, min_value=0, max_value=MAX_FIELD_CHARACTERS)
    longest = forms.IntegerField(required=False, min_value=0, max_value=MAX_FIELD_CHARACTERS)
    flag = forms.ChoiceField(
        required=False, choices=[(rule.id, "") for rule in RULES.values() if rule.kind == Kind.FLAG]
    )
    risk_first = forms.BooleanField(required=False)
    skipped = forms.ChoiceField(required=False, choices=Skipped.choices)


@sharing_fields
class RecordForm(forms.Form):
    """All that is typed about a record. Nothing is required here: what a verdict needs, its verb knows."""

    seen_revision = forms.IntegerField(min_value=1)
    instruction = TextField()
    input = TextField()
    output = TextField()
    metadata = TextField()
    answer_from = forms.ChoiceField(required=False, choices=AnswerFrom.choices)
    major = LabelsField()
    minor = LabelsField()
    domain = LabelsField()
    rights_said = forms.ChoiceField(required=False, choices=Decision.RightsSaid.choices)
    licence = forms.ChoiceField(required=False, choices=Licence.choices)
    holder = forms.CharField(required=False, max_length=500)
    copyright_text = forms.CharField(required=False, max_length=2000)
    source_address = forms.URLField(required=False, max_length=2000)
    reason = forms.CharField(required=False, max_length=2000)

    def typed(self) -> dict[str, str]:
        """Return all that was typed, valid or not, as it is shown again and kept as a draft: one string a field."""
        given = {name: self.data.get(name, "") for name in (*TEXTS, "answer_from", *RIGHTS, *SAID)}
        labels = {name: cast("QueryDict", self.data).getlist(name) for name in LABELS}
        given |= {name: "\n".join(one_line(label) for label in words) for name, words in labels.items()}
        return {name: unix(value).replace("\x00", "") for name, value in given.items() if name in self.data}

    def seen(self, record: "Record") -> "Revision":
        """Return the revision that the person saw; it may have been overtaken since."""
        number = None if self.has_error("seen_revision") else self.cleaned_data["seen_revision"]
        if number == record.revision_id:
            return record.revision
        known = record.revisions.filter(pk=number).first() if number else None
        if known is None:
            raise Refused(_("This page is incomplete. Load it again; what you typed is kept."), ground=Ground.INVALID)
        return known

    def wording(self, seen: "Revision") -> Wording:
        """Return the wording meant, given the one that was seen. A field that was not sent was not edited."""
        before, given = Wording.of(seen), self.cleaned_data
        texts = {name: as_meant(given[name], getattr(before, name)) for name in TEXTS if name in self.data}
        labels = {name: labels_as_meant(given[name], getattr(before, name)) for name in LABELS if name in self.data}
        answer_from = {"answer_from": given["answer_from"]} if "answer_from" in self.data else {}
        fields = {name: getattr(before, name) for name in (*TEXTS, *LABELS, "answer_from")}
        return Wording(**fields | texts | labels | answer_from)


@sharing_fields
class DecisionForm(RecordForm):
    """A verdict, and all that was typed with it."""

    request_id = forms.UUIDField()
    started = forms.CharField(required=False)
    verdict = forms.ChoiceField(required=False, choices=Verdict.choices)
    because = forms.ChoiceField(required=False, choices=Reason.choices)
    question = forms.CharField(required=False, max_length=2000)

    def judgement(self, record: "Record") -> Judgement:
        """Return what the person said; raises Refused with the messages by field when the form cannot be taken."""
        if not self.is_valid():
            fields = {name: " ".join(map(str, messages)) for name, messages in self.errors.items()}
            raise Refused(" ".join(fields.values()), ground=Ground.INVALID, fields=fields)
        given, seen = self.cleaned_data, self.seen(record)
        verdict = Verdict.REJECT if given["because"] else Verdict(given["verdict"])
        wording = self._worded(verdict, seen, record)
        return Judgement(
            verdict=verdict,
            seen_revision=seen.pk,
            request_id=given["request_id"],
            wording=None if wording == Wording.of(seen) else wording,
            rights=self._rights() if verdict == Verdict.APPROVE else None,
            reason=given["question"] if verdict == Verdict.ESCALATE else given["because"] or given["reason"],
            seconds=seconds_since(given["started"], record.pk),
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "verdict" in given and not given["verdict"] and not given.get("because"):
            self.add_error("verdict", _("Say what you decide: approve, reject, rewrite or escalate."))
        return given

    def _worded(self, verdict: Verdict, seen: "Revision", record: "Record") -> Wording:
        """Return the wording with the author of the answer as the verdict has it.

        The page fills in who usually writes a source's answers; only a person who approves says so. A person who
        rewrites an answer is its author.
        """
        wording = self.wording(seen)
        if verdict == Verdict.REWRITE and wording.output != seen.output:
            author = AnswerFrom.EXPERT if wording.answer_from == AnswerFrom.EXPERT else AnswerFrom.HUMAN
            return _replaced(wording, author)
        only_filled_in = not seen.answer_from and wording.answer_from == record.source.answer_from
        return _replaced(wording, "") if only_filled_in and verdict != Verdict.APPROVE else wording

    def _rights(self) -> SaidOfRights | None:
        given = self.cleaned_data
        if not given["rights_said"]:
            return None
        return SaidOfRights(
            said=given["rights_said"],
            licence=given["licence"] or Licence.UNKNOWN,
            holder=given["holder"],
            copyright_text=given["copyright_text"],
            source_address=given["source_address"],
        )


def _replaced(wording: Wording, answer_from: str) -> Wording:
    return Wording(**{name: getattr(wording, name) for name in (*TEXTS, *LABELS)}, answer_from=answer_from)


def started_now(record: int) -> str:
    """Return the signed moment at which the record was put before the person."""
    return Signer(salt=_STARTED).sign_object([record, int(time.time())])


def seconds_since(started: str, record: int) -> int:
    """Return the seconds since the signed moment, at most a day; 0 where it cannot be known."""
    try:
        signed_for, moment = Signer(salt=_STARTED).unsign_object(started)
    except BadSignature:
        return 0
    return min(max(int(time.time()) - moment, 0), LONGEST_SITTING) if signed_for == record else 0
