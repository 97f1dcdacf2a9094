"""Erasing for good what was taken down: every copy of a text goes, and what proves what stood there stays.

The database lets texts of append-only rows become blank only here: for a takedown that is confirmed, where their hashes
have been kept (`Erased`), and with nothing else changed. What others keep of a text, in files or tables of their own,
they remove when they are called: see `also`. They may be called again when an erasure was broken off.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.db import connection, transaction

from review import access, duplicates, search, takedowns
from review.models import Comment, Draft, Original, Revision, Skip, Takedown
from review.refused import Refused

if TYPE_CHECKING:
    from review.models import User

logger = logging.getLogger(__name__)

SHORTEST_BYTES = 12
"""A text that is shorter stands in files of others as well, by chance."""

ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
UNITS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
"""Encodings of which each writes the end of a line in another way; all others write it as UTF-8 does."""


@dataclass(frozen=True)
class Erasing:
    """What is being erased, for whoever keeps copies: the records, and how their texts may stand in a file."""

    takedown: Takedown
    records: tuple[int, ...]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every instruction, input and output that the records ever had."""
        wordings = Revision.objects.filter(record__in=self.records).values_list("instruction", "input", "output")
        return tuple(sorted({text for wording in wordings for text in wording if text.strip()}))

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """The bytes by which a copy in a file is known: the lines as they came in, and the texts in every writing."""
        raw = Original.objects.filter(record__in=self.records).values_list("raw", flat=True)
        written = {needle for text in self.texts for needle in _written(text)}
        lines = {form.strip() for line in raw for form in _ended(bytes(line))}
        return tuple(sorted(needle for needle in written | lines if len(needle) >= SHORTEST_BYTES))


def _ended(raw: bytes) -> Iterator[bytes]:
    """Yield the ways in which lines that belong together may end in a file: they are kept with line feeds alone."""
    yield raw
    for encoding in UNITS:
        yield raw.replace("\n".encode(encoding), "\r\n".encode(encoding))


def _written(text: str) -> Iterator[bytes]:
    """Yield the ways in which a text may stand in a file: plain, as JSON, as ASCII JSON, in other encodings."""
    plain = text.strip()
    for form in {plain, plain.replace("\n", "\r\n"), json.dumps(plain, ensure_ascii=False)[1:-1]}:
        for encoding in ENCODINGS:
            yield form.encode(encoding, "ignore")
    yield json.dumps(plain)[1:-1].encode()


ALSO: list[Callable[[Erasing], object]] = []
"""What else has copies."""


def also(remove: Callable[[Erasing], object]) -> None:
    """Have `remove` called whenever texts are erased, before they are gone: it removes every copy that it keeps."""
    if remove not in ALSO:
        ALSO.append(remove)


@dataclass(frozen=True, slots=True)
class _Copy:
    """Texts in a table of the history: `owner` is SQL over `t` that gives the row's record."""

    kind: str
    table: str
    texts: tuple[str, ...]
    blanks: tuple[str, ...] = ()
    """Texts that may not be empty become a dash."""
    owner: str = "t.record_id"

    def keep_hashes(self) -> str:
        pairs = ", ".join(f"'{name}', encode(sha256({_bytes(name)}), 'hex')" for name in self.texts)
        return (
            "INSERT INTO review_erased (kind, row, hashes, takedown_id)"  # noqa: S608  the names below
            f" SELECT '{self.kind}', t.id, jsonb_build_object({pairs}), %s FROM {self.table} t"
            f" WHERE {self.owner} = ANY(%s) ON CONFLICT (kind, row) DO NOTHING"
        )

    def blank(self) -> str:
        values = ", ".join(f"{name} = {self._blank(name)}" for name in self.texts)
        return f"UPDATE {self.table} t SET {values} WHERE {self.owner} = ANY(%s)"  # noqa: S608  the names below

    def _blank(self, name: str) -> str:
        if name in self.blanks:
            return f"CASE WHEN {name} = '' THEN '' ELSE '—' END"
        return "''"


def _bytes(name: str) -> str:
    return f"t.{name}" if name in {"raw", "data"} else f"convert_to(COALESCE(t.{name}, ''), 'UTF8')"


_DECIDED = "(SELECT d.record_id FROM review_decision d WHERE d.id = t.decision_id)"
COPIES = (
    _Copy("revision", "review_revision", ("instruction", "input", "output", "metadata")),
    _Copy("original", "review_original", ("raw", "claimed_copyright")),
    _Copy("decision", "review_decision", ("reason",), blanks=("reason",)),
    _Copy("withdrawal", "review_withdrawal", ("reason",), owner=_DECIDED),
    _Copy(
        "rights",
        "review_rights",
        ("holder", "source_address", "evidence", "published_text", "note"),
        blanks=("published_text",),
    ),
    _Copy(
        "evidence",
        "review_evidence",
        ("name", "data"),
        blanks=("name",),
        owner="(SELECT r.record_id FROM review_rights r WHERE r.id = t.rights_id)",
    ),
)


@transaction.atomic
def erase(takedown: Takedown, *, by: "User | None") -> int:
    """Erase every copy of what was taken down, and return the number of records. There is no way back.

    Raises OSError when a disk refuses to let a copy go; then nothing counts as erased, and it can be asked for again.
    """
    access.check_take_down(by)
    takedowns.check_erasable(takedown, by=by)
    erasing = Erasing(takedown, tuple(takedown.records.order_by("pk").values_list("pk", flat=True)))
    for remove in ALSO:
        remove(erasing)
    _forget(erasing.records)
    transaction.on_commit(lambda: _forget(erasing.records))  # a pass may have read the texts just before they went
    Draft.objects.filter(record__in=erasing.records).delete()
    Skip.objects.filter(record__in=erasing.records).delete()
    Comment.objects.filter(record__in=erasing.records).update(text="—")
    _blank(erasing)
    takedowns.erased(takedown, by=by)
    return len(erasing.records)


def _forget(records: "Collection[int]") -> None:
    """Remove what the indexes hold of the texts."""
    search.forget(records)
    duplicates.forget(records)


def _blank(erasing: Erasing) -> None:
    """Keep the hashes of all texts, blank them, and let the takedown itself forget the passages that it quotes."""
    records = list(erasing.records)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('cqia.erasing', %s, true)", [str(erasing.takedown.pk)])
        for copy in COPIES:
            cursor.execute(copy.keep_hashes(), [erasing.takedown.pk, records])
            cursor.execute(copy.blank(), [records])
        cursor.execute("SELECT set_config('cqia.erasing', '', true)")
    takedowns.forget_passages(erasing.takedown)


def erase_due() -> int:
    """Erase every takedown whose waiting period is over; return how many. What somebody decided meanwhile stays so."""
    number = 0
    for takedown in takedowns.due():
        try:
            erase(takedown, by=None)
        except Refused as refused:
            logger.info("Takedown %s is left as it is: %s", takedown.pk, refused)
        else:
            number += 1
    return number
