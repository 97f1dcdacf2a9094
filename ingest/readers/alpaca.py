"""Alpaca: instruction, perhaps an input, and output; pairs of instruction and output are the same shape."""

from ingest.document import Document
from ingest.readers import shape
from ingest.readers.piece import Piece

KNOWN_KEYS = frozenset({"instruction", "input", "output", "history", *shape.IDENTIFIER_KEYS})


def fits(record: shape.Record) -> bool:
    """Whether the record has a question and an answer under Alpaca's names."""
    return "instruction" in record and "output" in record


def document(record: shape.Record, piece: Piece) -> Document:
    """The document of one Alpaca record; raises ``Malformed``."""
    shape.refuse_earlier_turns(record)
    return Document(
        line=piece.line,
        offset=piece.offset,
        end=piece.end,
        raw=piece.raw,
        instruction=shape.instruction(record),
        input=shape.given_input(record),
        output=shape.output(record),
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, KNOWN_KEYS),
    )


READER = shape.Reader(name="alpaca", fits=fits, document=document)
