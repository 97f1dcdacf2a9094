"""A look at files before they become a job: how they would be read, and what would enter."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ingest.document import UNREADABLE, Unreadable
from ingest.mapping import proposed
from ingest.overview import FORMAT_NAMES
from ingest.parts import File
from ingest.portions import Portion, portions
from ingest.readers import READERS, first_fields, recognise
from ingest.stages import Stages
from ingest.thresholds import Thresholds
from review import intake
from review.entries import Prepared
from review.models import Batch
from review.text.faults import explain
from review.text.rules import Chosen
from review.text.rules.trial import Trials, tried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_stubs_ext import StrOrPromise

    from ingest.document import Refusal
    from ingest.mapping import FieldMapping
    from ingest.models import Job
    from ingest.readers.recognition import Field, Recognised
    from review.models import Source
    from review.text.faults import Parameters
    from review.text.rules import Texts

SHOWN_CANDIDATES = 20
SHOWN_REFUSALS = 5
SHOWN_FIELDS = 40
TRIED = 1000
"""How many candidates the rules are tried on before an import."""

ON_A_PAGE = {
    "other_encoding": _("The file is not UTF-8 but looks like %(guess)s. Choose that encoding and look again."),
    "not_utf8": _(
        "The file is not UTF-8: the first fault is in line %(line)s, at byte %(byte)s. It looks like %(guess)s: "
        "choose that encoding and look again."
    ),
    "partly_utf8": _(
        "Most of the file is UTF-8, but %(number)s of its first lines are not and look like %(foreign)s, the first of "
        "them line %(line)s, at byte %(byte)s. Take the lines in UTF-8 alone and find the others among the rejects, or "
        "mend the file and upload it again."
    ),
    "not_utf8_nor_known": _(
        "The file is not UTF-8: the first fault is in line %(line)s, at byte %(byte)s. Choose its encoding, or save "
        "it as UTF-8 and upload it again."
    ),
    "not_in_encoding": _(
        "The file cannot be read as %(encoding)s: the first fault is in line %(line)s. Choose another encoding."
    ),
    "unknown_shape": _(
        "No format fits the records of the file; the first has the keys: %(keys)s. Choose the format, or bring the "
        "records into one of these: %(known)s."
    ),
    "archive_cut_off": _(
        "The %(kind)s file is cut off. What stands before the cut is taken in; send the whole file to add the rest."
    ),
    "archive_damaged": _(
        "The %(kind)s file is damaged. What stands before the damage is taken in; pack the file again and send it anew."
    ),
}
"""What `UNREADABLE` says with the options of a command, or of an import, in the words of a page to look at files."""

ON_A_JOB = {
    "other_encoding": _("The file is not UTF-8 but looks like %(guess)s. Upload it again with that encoding."),
    "not_utf8": _(
        "The file is not UTF-8: the first fault is in line %(line)s, at byte %(byte)s. It looks like %(guess)s: "
        "upload it again with that encoding."
    ),
    "partly_utf8": _(
        "Most of the file is UTF-8, but %(number)s of its first lines are not and look like %(foreign)s, the first of "
        "them line %(line)s, at byte %(byte)s. Mend the file and upload it again; or upload it as it is and take the "
        "lines in UTF-8 alone: the others are then found among the rejects."
    ),
    "not_utf8_nor_known": _(
        "The file is not UTF-8: the first fault is in line %(line)s, at byte %(byte)s. Upload it again with its "
        "encoding, or saved as UTF-8."
    ),
    "not_in_encoding": _(
        "The file cannot be read as %(encoding)s: the first fault is in line %(line)s. Upload it again with another "
        "encoding."
    ),
    "unknown_shape": _(
        "No format fits the records of the file; the first has the keys: %(keys)s. Upload it again with its format, or "
        "with the records in one of these: %(known)s."
    ),
}
"""The same in the words of a page about an import, on which nothing of how the files are read can be chosen."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file to look at: its number and name among the others, where it stands, and its size in bytes."""

    number: int
    name: str
    path: Path
    size: int


@dataclass(slots=True)
class Look:
    """What one file looks like; `trouble` says why it cannot be read and what to do, `guess` names an encoding.

    `broken` says why only its beginning can be read, and `records` how many it holds where all of that was counted.
    """

    file: Given
    found: "Recognised | None" = None
    trouble: str = ""
    guess: str = ""
    broken: str = ""
    records: int | None = None


@dataclass(slots=True)
class Preview:
    """What the files look like, and what would become of the records at their beginnings."""

    looks: list[Look]
    candidates: list[Prepared] = field(default_factory=list)
    refusals: list[tuple[str, "Refusal"]] = field(default_factory=list)
    """What would be refused, with the name of the file that it is in."""
    counts: Counter[str] = field(default_factory=Counter)
    unknown_keys: Counter[str] = field(default_factory=Counter)
    fields: list["Field"] = field(default_factory=list)
    """The fields of the first records, by the names that a mapping calls them; those with the most text come first."""
    trials: Trials | None = None
    """What every rule would find in the first candidates, the repairs of the source left out."""
    is_whole: bool = True
    """The counts are those of the whole files, not of their beginnings."""

    @property
    def is_readable(self) -> bool:
        """Whether there is a file, and each can be read."""
        return bool(self.looks) and not any(look.trouble for look in self.looks)

    @property
    def named_keys(self) -> list[tuple[str, int]]:
        """The unknown keys with their numbers, the most frequent first."""
        return self.unknown_keys.most_common()

    @property
    def shown_fields(self) -> list["Field"]:
        """As many of the fields as a page has room for."""
        return self.fields[:SHOWN_FIELDS]

    @property
    def more_fields(self) -> int:
        """How many there are besides."""
        return len(self.fields[SHOWN_FIELDS:])

    @property
    def guess(self) -> str:
        """The encoding that the first file of another one than UTF-8 seems to be in."""
        return next((look.guess for look in self.looks if look.guess), "")


def look_at(  # noqa: PLR0913  what a look depends on
    files: Sequence[Given],
    *,
    source: "Source | None",
    format: str = "",  # noqa: A002  named like the option
    encoding: str = "",
    mapping: "FieldMapping | None" = None,
    rule: str = "",
) -> Preview:
    """Recognise each file and, once the source is known, count the records of their beginnings without writing.

    Every rule is tried on the first candidates; `rule` is the one of which samples are wanted.
    """
    format = format or (mapping.format if mapping else "")  # noqa: A001  as above
    preview = Preview([_look(file, format, encoding) for file in files])
    found = (first_fields(file.path, encoding, name=file.name) for file in files)
    preview.fields = next(filter(None, found), [])
    if source is None:
        return preview
    ledger, stages = intake.Ledger(Batch(pk=0, source=source)), Stages.of(source, mapping=mapping, is_rehearsal=True)
    for look in preview.looks:
        if look.found is None:
            continue
        if preview.counts["read"] >= settings.INGEST_CHUNK_RECORDS:
            preview.is_whole = False
            break
        try:
            portion = _first_portion(look, stages)
            _add(preview, look, portion, ledger)
            _add_break(preview, look, portion)
        except Unreadable as error:
            look.trouble = explained(error.code, error.parameters)
    preview.trials = tried(_texts(preview, stages), sampled=[rule])
    return preview


def _texts(preview: Preview, stages: Stages) -> "Iterator[tuple[int, Texts]]":
    """Yield the first candidates as they stand in the files."""
    untouched, left = replace(stages, rules=Chosen(()), thresholds=Thresholds()), TRIED
    for look in preview.looks:
        portion = _first_portion(look, untouched) if left and not look.trouble else None
        for item in portion.prepared[:left] if portion else ():
            left -= 1
            yield item.candidate.line, item.texts


def written(spec: "Mapping[str, object]") -> str:
    """Write a mapping as a person edits it."""
    return json.dumps(spec, ensure_ascii=False, indent=2)


def proposal(preview: Preview) -> str:
    """Write a mapping to begin with, for the fields of the first records."""
    texts = [each.name for each in preview.fields if each.characters]
    return written(proposed((each.name for each in preview.fields), texts=texts)) if preview.fields else ""


def explained(code: str, parameters: "Parameters", words: "Mapping[str, StrOrPromise]" = ON_A_PAGE) -> str:
    """Say why a file cannot be read and what to do on a page about it, in the language in use."""
    if code in words:
        known = " · ".join(str(FORMAT_NAMES.get(name, name)) for name in READERS)
        return str(words[code] % {**parameters, "known": known})
    return explain(UNREADABLE[code], "", parameters, get_language() or "")


def trouble_of(job: "Job") -> str:
    """Say why a job stands still and what to do; empty when nothing is wrong."""
    if job.error_code not in UNREADABLE:
        return job.error
    return job.named(explained(job.error_code, job.error_parameters, ON_A_JOB))


def _look(file: Given, format: str, encoding: str) -> Look:  # noqa: A002  as above
    try:
        found = recognise(file.path, format=format or None, encoding=encoding or None, name=file.name)
        return Look(file, found, broken=explained(found.broken.code, found.broken.parameters) if found.broken else "")
    except Unreadable as error:
        guess = str(error.parameters.get("guess", ""))
        return Look(file, trouble=explained(error.code, error.parameters), guess=guess)


def _first_portion(look: Look, stages: Stages) -> Portion | None:
    """Return the beginning of a file as a job would read it; None where it holds no records."""
    if look.found is None:
        return None
    file = File(look.file.number, look.file.path, look.found.format, look.found.container, look.found.encoding)
    with closing(portions([file], stages=stages)) as coming:
        return next(coming, None)


def _add(preview: Preview, look: Look, portion: Portion | None, ledger: intake.Ledger) -> None:
    if portion is None:
        return
    counted = intake.count_records(portion.entries, ledger=ledger)
    dropped = counted.dropped + portion.dropped
    preview.counts.update(read=portion.read, rejected=len(portion.refusals), dropped=dropped.total())
    for name in ("new", "changed", "unchanged", "duplicate"):
        preview.counts[name] += getattr(counted, name)
    preview.candidates += portion.prepared[: SHOWN_CANDIDATES - len(preview.candidates)]
    refusals = portion.refusals[: SHOWN_REFUSALS - len(preview.refusals)]
    preview.refusals += [(look.file.name, refusal) for refusal in refusals]
    preview.unknown_keys.update(portion.named_keys)
    if portion.is_full(settings.INGEST_CHUNK_RECORDS):
        preview.is_whole = False


def _add_break(preview: Preview, look: Look, portion: Portion | None) -> None:
    """Say of a file that breaks off behind how many records, where the first portion holds all that can be read."""
    if look.broken and portion is not None:
        preview.is_whole = False
        look.records = None if portion.is_full(settings.INGEST_CHUNK_RECORDS) else portion.read
