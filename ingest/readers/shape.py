"""What every reader is made of, and how the fields that several shapes share are taken from a record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest.document import NO_METADATA, Document, Refusal
from ingest.readers.containers import CONTAINERS
from ingest.readers.piece import Piece
from review.text.strict import Malformed, is_blank, parse_object, printable, text_field

type Record = dict[str, object]

IDENTIFIER_KEYS = ("external_id", "id")
MAX_IDENTIFIER_CHARACTERS = 200
MAX_UNKNOWN_KEYS = 50


@dataclass(frozen=True, slots=True)
class Reader:
    """One raw shape: how to tell it, and how a record of it becomes a document."""

    name: str
    """What ``--format`` takes."""
    fits: Callable[[Record], bool]
    """Whether a record looks like one of this shape; it need not be free of faults."""
    document: Callable[[Record, Piece], Document]
    """The document of a parsed record; raises ``Malformed``."""

    def read(
        self,
        stream: BinaryIO,
        *,
        container: str = "jsonl",
        offset: int = 0,
        line: int = 0,
        encoding: str = "utf-8",
    ) -> Iterator[Document | Refusal]:
        """Every record of ``stream``, as a document or as its refusal, in the order of the file.

        Reading goes on after any of them when its ``end`` and ``line`` are given as ``offset`` and ``line``. Offsets
        are bytes of the file; of an array in another encoding than UTF-8 they are bytes of its UTF-8 form, in which
        ``raw`` is too. Raises ``Unreadable`` when the stream is not in the container or the encoding is unknown.
        """
        for piece in CONTAINERS[container](stream, offset=offset, line=line, encoding=encoding):
            if isinstance(piece, Refusal):
                yield piece
                continue
            try:
                document = self.document(parse_object(piece.body), piece)
            except Malformed as fault:
                yield Refusal.because(fault, line=piece.line, offset=piece.offset, end=piece.end, raw=piece.raw)
            else:
                yield document


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
            return text_field(value, f"/{key}", max_characters=MAX_IDENTIFIER_CHARACTERS)
    return None


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
