"""Alpaca: instruction, perhaps an input, and output; pairs of instruction and output are the same shape.

A record with a history is a conversation and is kept whole like one.
"""

from ingest.document import Document
from ingest.readers import conversations, shape
from ingest.readers.conversations import MODEL, PERSON, SYSTEM, Turn
from ingest.readers.piece import Piece
from review.text.strict import Malformed, text_field

KNOWN_KEYS = frozenset({"instruction", "input", "output", "history", "system", *shape.IDENTIFIER_KEYS})
PAIR = 2


def fits(record: shape.Record) -> bool:
    """Whether the record has a question and an answer under Alpaca's names."""
    return "instruction" in record and "output" in record


def document(record: shape.Record, piece: Piece) -> Document:
    """The document of one Alpaca record; raises ``Malformed``."""
    if record.get("history") or record.get("system"):
        return _conversation(record, piece)
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


def _conversation(record: shape.Record, piece: Piece) -> Document:
    turns = [Turn(SYSTEM, text_field(record["system"], "/system"), "/system")] if record.get("system") else []
    turns += _earlier(record.get("history") or [])
    turns.append(Turn(PERSON, shape.instruction(record), "/instruction"))
    if answer := shape.output(record):
        turns.append(Turn(MODEL, answer, "/output"))
    return conversations.document(
        turns,
        piece,
        given_input=shape.given_input(record),
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, KNOWN_KEYS),
    )


def _earlier(history: object) -> list[Turn]:
    """The turns before the instruction: pairs of a question and its answer."""
    pairs = history if isinstance(history, list) else [history]
    turns = []
    for place, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != PAIR:
            raise Malformed("turn_order", f"/history/{place}")
        for side, (role, words) in enumerate(zip((PERSON, MODEL), pair, strict=True)):
            pointer = f"/history/{place}/{side}"
            turns.append(Turn(role, text_field(words, pointer), pointer))
    return turns


READER = shape.Reader(name="alpaca", fits=fits, document=document)
