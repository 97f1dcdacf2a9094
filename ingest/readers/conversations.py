"""Conversations, kept whole: the last question is the instruction, its answer the output, all before it the input.

In the input every turn stands in a paragraph behind the name of who speaks, a system prompt first.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest.document import Document
from ingest.readers import shape
from ingest.readers.piece import Piece
from review.text.strict import Malformed, json_type, object_field, text_field

PERSON, MODEL, SYSTEM = "用户", "助手", "系统"
ROLES = {
    "human": PERSON,
    "user": PERSON,
    "prompter": PERSON,
    "gpt": MODEL,
    "assistant": MODEL,
    "chatgpt": MODEL,
    "bot": MODEL,
    "model": MODEL,
    "system": SYSTEM,
}
SHAREGPT_KEYS = frozenset({"conversations", "system", *shape.IDENTIFIER_KEYS})
MESSAGES_KEYS = frozenset({"messages", *shape.IDENTIFIER_KEYS})
NAMES = {"conversations": ("from", "value"), "messages": ("role", "content")}


class Turn(NamedTuple):
    """What one side says, and where it stands."""

    role: str
    text: str
    pointer: str


def document(turns: Sequence[Turn], piece: Piece, *, given_input: str = "", **others: object) -> Document:
    """The document of a whole conversation; raises ``Malformed`` for one that does not go back and forth."""
    spoken = [turn for turn in turns if turn.role != SYSTEM]
    for place, turn in enumerate(spoken):
        if turn.role != (MODEL if place % 2 else PERSON):
            raise Malformed("turn_order", turn.pointer)
    if not spoken:
        raise Malformed("empty", turns[0].pointer if turns else "")
    answered = len(spoken) % 2 == 0
    question = spoken[-2] if answered else spoken[-1]
    before = [f"{turn.role}：{turn.text}" for turn in turns if turn not in spoken[-2 if answered else -1 :]]
    text_field(question.text, question.pointer, allow_empty=False)
    given = text_field("\n\n".join([*before, given_input] if given_input else before), "/input")
    facts = {"turns": len(spoken)} if before else {}
    return shape.made(
        piece,
        question.text,
        spoken[-1].text if answered else "",
        input=given,
        **others,
        **({"facts": facts} if facts else {}),
    )


def sharegpt(record: shape.Record, piece: Piece) -> Document:
    """The document of one ShareGPT record; raises ``Malformed``."""
    if record.get("tools"):
        raise Malformed("tool_turn", "/tools")
    return _document(record, piece, "conversations", SHAREGPT_KEYS)


def messages(record: shape.Record, piece: Piece) -> Document:
    """The document of one record of OpenAI's messages; raises ``Malformed``."""
    return _document(record, piece, "messages", MESSAGES_KEYS)


def fits_sharegpt(record: shape.Record) -> bool:
    """Whether the record is a list of turns under ShareGPT's names."""
    return _holds_turns(record, "conversations")


def fits_messages(record: shape.Record) -> bool:
    """Whether the record is a list of OpenAI's messages."""
    return _holds_turns(record, "messages")


def _holds_turns(record: shape.Record, key: str) -> bool:
    turns = record.get(key)
    first = turns[0] if isinstance(turns, list) and turns else None
    return isinstance(first, Mapping) and any(name in first for names in NAMES.values() for name in names)


def _document(record: shape.Record, piece: Piece, key: str, known: frozenset[str]) -> Document:
    turns = _turns(record.get(key), f"/{key}")
    if system := shape.text(record, "system"):
        turns.insert(0, Turn(SYSTEM, system, "/system"))
    return document(
        turns,
        piece,
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, known),
    )


def _turns(given: object, pointer: str) -> list[Turn]:
    if not isinstance(given, list):
        raise Malformed("wrong_type", pointer, expected="array", found=json_type(given))
    return [_turn(turn, f"{pointer}/{place}") for place, turn in enumerate(given)]


def _turn(given: object, pointer: str) -> Turn:
    turn = object_field(given, pointer)
    speaker, words = next((names for names in NAMES.values() if names[0] in turn), NAMES["conversations"])
    role = ROLES.get(text_field(turn.get(speaker), f"{pointer}/{speaker}").lower())
    if role is None or turn.get("tool_calls") or turn.get("function_call"):
        raise Malformed("tool_turn", pointer)
    return Turn(role, _words(turn.get(words), f"{pointer}/{words}"), pointer)


def _words(given: object, pointer: str) -> str:
    """What is said; of several parts the texts, and nothing when one of them is no text."""
    if not isinstance(given, list):
        return text_field(given, pointer)
    parts = [object_field(part, f"{pointer}/{place}") for place, part in enumerate(given)]
    for place, part in enumerate(parts):
        if part.get("type", "text") != "text":
            raise Malformed("not_only_text", f"{pointer}/{place}")
    return "\n".join(text_field(part.get("text"), f"{pointer}/{place}/text") for place, part in enumerate(parts))


SHAREGPT = shape.Reader(name="sharegpt", fits=fits_sharegpt, document=sharegpt)
MESSAGES = shape.Reader(name="messages", fits=fits_messages, document=messages)
