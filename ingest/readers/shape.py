"""What every reader is made of, and how the fields that several shapes share are taken from a record."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from ingest.document import NO_METADATA, Document, Refusal
from ingest.readers.containers import cut
from ingest.readers.piece import Piece
from review.text.strict import (
    MAX_FIELD_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    Malformed,
    is_blank,
    parse_object,
    printable,
    text_field,
)

logger = logging.getLogger(__name__)

type Record = Mapping[str, object]
type Change = Callable[[Document, Record, Piece], Document]

IDENTIFIER_KEYS = ("external_id", "id")
MAX_IDENTIFIER_CHARACTERS = 200
MAX_UNKNOWN_KEYS = 50
MISSING_WORDS = frozenset({"无", "暂无", "none", "null", "nan", "n/a"})
"""What tables hold where a text is missing."""

_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([千万亿kKwW]?)")
_MULTIPLES = {"": 1, "千": 1000, "k": 1000, "K": 1000, "万": 10_000, "w": 10_000, "W": 10_000, "亿": 100_000_000}


@dataclass(frozen=True, slots=True)
class Reader:
    """One raw shape: how to tell it, and how a record of it becomes a document."""

    name: str
    """What ``--format`` takes."""
    fits: Callable[[Record], bool]
    """Whether a record looks like one of this shape; it need not be free of faults."""
    document: Callable[[Record, Piece], Document]
    """The document of a parsed record; raises ``Malformed``."""

    def read(  # noqa: PLR0913  how a stream is read
        self,
        stream: BinaryIO,
        *,
        container: str = "jsonl",
        offset: int = 0,
        line: int = 0,
        encoding: str = "utf-8",
        change: Change | None = None,
    ) -> Iterator[Document | Refusal]:
        """Every record of ``stream``, as a document or as its refusal, in the order of the file.

        ``change`` is given each document with its record and piece, and may raise ``Malformed``: so a mapping works.
        Reading goes on after any of them when its ``end`` and ``line`` are given as ``offset`` and ``line``. Offsets
        are bytes of the file; of a packed one, bytes of what is inside; of an array in another encoding than UTF-8,
        bytes of its UTF-8 form, in which ``raw`` is too; of Parquet, rows. Raises ``Unreadable`` when the stream is not
        in the container, is damaged or grows beyond the limits, or the encoding is unknown.
        """
        for piece in cut(stream, container=container, offset=offset, line=line, encoding=encoding):
            if isinstance(piece, Refusal):
                yield piece
                continue
            try:
                record = parse_object(piece.body) if piece.fields is None else piece.fields
                document = self.document(record, piece)
                if change:
                    document = change(document, record, piece)
            except Malformed as fault:
                yield _refused(piece, fault)
            except Exception as error:  # a failure of a reader must not stop the records around it
                logger.exception("Format %s, line %s", self.name, piece.line)
                yield _refused(piece, Malformed("unforeseen", trouble=type(error).__name__))
            else:
                yield document


def _refused(piece: Piece, fault: Malformed) -> Refusal:
    return Refusal.because(fault, line=piece.line, offset=piece.offset, end=piece.end, raw=piece.kept)


def made(piece: Piece, instruction: str, output: str, **others: Any) -> Document:
    """A document at the place of the piece; what was put together is held to the limits of a field once more."""
    if len(instruction) > MAX_FIELD_CHARACTERS or is_blank(instruction):
        text_field(instruction, "/instruction", allow_empty="facts" in others)
    if len(output) > MAX_FIELD_CHARACTERS:
        text_field(output, "/output")
    return Document(
        piece.line, piece.offset, piece.end, piece.raw, instruction, others.pop("input", ""), output, **others
    )


def text(record: Record, *keys: str) -> str:
    """The first of the fields that holds something, as text; empty when none does. Numbers are written out."""
    for key in keys:
        value = record.get(key)
        if value is None or value == "":
            continue
        if type(value) in {int, float}:
            value = str(value)
        found = text_field(value, f"/{key}")
        if found.strip().lower() not in MISSING_WORDS:
            return found
    return ""


def label(record: Record, *keys: str) -> tuple[str, ...]:
    """What the fields that are there hold, as labels."""
    found = (text_field(text(record, key), f"/{key}", max_characters=MAX_LABEL_CHARACTERS).strip() for key in keys)
    return tuple(word for word in found if word)


def number(value: object) -> int | float | None:
    """A number, also one in words such as ``赞同 1.2 万``; None where there is none."""
    if type(value) in {int, float}:
        return value  # type: ignore[return-value]  # the two types were just asked for
    found = _NUMBER.search(value.replace(",", "")) if isinstance(value, str) else None
    if not found:
        return None
    figure = float(found[1]) * _MULTIPLES[found[2]]
    return int(figure) if figure.is_integer() else figure


def metadata_of(**facts: object) -> str:
    """Source facts written as in the published data, ``qid:1, aid:2``; those that are empty are left out."""
    parts = [f"{name}:{value}" for name, value in facts.items() if value is not None and value != ""]
    return ", ".join(parts) or NO_METADATA


def without_empty(**facts: object) -> dict[str, object]:
    """The facts that are there."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def instruction(record: Record) -> str:
    """The instruction, which must be there and not blank."""
    return text_field(_required(record, "instruction"), "/instruction", allow_empty=False)


def given_input(record: Record) -> str:
    """The input, empty when the record has none."""
    return text_field(record.get("input", ""), "/input")


def output(record: Record) -> str:
    """The output, which must be there; an empty one is a question that waits for its answer."""
    return text_field(_required(record, "output"), "/output")


def metadata(record: Record) -> str:
    """The metadata; what is missing or blank becomes the published phrase."""
    text = text_field(record.get("metadata", NO_METADATA), "/metadata")
    return NO_METADATA if is_blank(text) else text


def external_id(record: Record) -> str | None:
    """What the source calls the record: the first identifier that is there and not empty."""
    for key in IDENTIFIER_KEYS:
        value = record.get(key)
        if type(value) is int:
            value = str(value)
        if value is not None and value != "":
            return identifier(value, f"/{key}")
    return None


def identifier(value: object, pointer: str) -> str:
    """What the source calls a record, of which the database takes so much and no more."""
    return text_field(value, pointer, max_characters=MAX_IDENTIFIER_CHARACTERS)


def refuse_earlier_turns(record: Record) -> None:
    """Refuse a conversation, of which a shape with one question and one answer would keep the end only."""
    if record.get("history"):
        raise Malformed("multi_turn", "/history")


def unknown_keys(record: Record, known: frozenset[str], within: str = "") -> tuple[str, ...]:
    """The keys that are not ``known``, fit for a report: printable, cut, and the first ``MAX_UNKNOWN_KEYS`` of them."""
    if known.issuperset(record):
        return ()
    return tuple([within + printable(key) for key in record if key not in known][:MAX_UNKNOWN_KEYS])


def _required(record: Record, key: str) -> object:
    if key not in record:
        raise Malformed("missing", f"/{key}")
    return record[key]
