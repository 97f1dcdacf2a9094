"""The published shape of COIG-CQIA: nine fields; ``metadata`` and every label field may be missing."""

from ingest.document import Document
from ingest.readers import shape
from ingest.readers.piece import Piece
from review.text.strict import boolean_field, object_field, string_list, text_field

LABEL_KEYS = frozenset({"task_type", "domain", "metadata", "answer_from", "human_verified", "copyright"})
KNOWN_KEYS = LABEL_KEYS | {"instruction", "input", "output", "history", *shape.IDENTIFIER_KEYS}
TASK_TYPE_KEYS = frozenset({"major", "minor"})
ANSWER_FROM = frozenset({"human", "llm", "expert"})


def fits(record: shape.Record) -> bool:
    """Whether the record has an instruction and any field that only this shape has."""
    return "instruction" in record and not LABEL_KEYS.isdisjoint(record)


def document(record: shape.Record, piece: Piece) -> Document:
    """The document of one published or eight-field record; raises ``Malformed``."""
    shape.refuse_earlier_turns(record)
    task_type = object_field(record.get("task_type", {}), "/task_type")
    return Document(
        line=piece.line,
        offset=piece.offset,
        end=piece.end,
        raw=piece.raw,
        instruction=shape.instruction(record),
        input=shape.given_input(record),
        output=shape.output(record),
        major=labels(task_type, "major", "/task_type/major"),
        minor=labels(task_type, "minor", "/task_type/minor"),
        domain=labels(record, "domain", "/domain"),
        metadata=shape.metadata(record),
        answer_from=answer_from(record),
        external_id=shape.external_id(record),
        claimed_human_verified=claimed_human_verified(record),
        claimed_copyright=claimed_copyright(record),
        unknown_keys=unknown_keys(record, task_type),
    )


def labels(holder: shape.Record, key: str, pointer: str) -> tuple[str, ...] | None:
    """The labels that stand there, perhaps none."""
    return string_list(holder[key], pointer) if key in holder else None


def answer_from(record: shape.Record) -> str | None:
    """Who wrote the answer, empty for every word but the three that are published."""
    if "answer_from" not in record:
        return None
    author = text_field(record["answer_from"], "/answer_from")
    return author if author in ANSWER_FROM else ""


def claimed_human_verified(record: shape.Record) -> bool | None:
    """What the file says about its own verification."""
    return boolean_field(record["human_verified"], "/human_verified") if "human_verified" in record else None


def claimed_copyright(record: shape.Record) -> str | None:
    """What the file says about its rights."""
    return text_field(record["copyright"], "/copyright") if "copyright" in record else None


def unknown_keys(record: shape.Record, task_type: shape.Record) -> tuple[str, ...]:
    """Unknown keys of the record and of its task type."""
    inner = shape.unknown_keys(task_type, TASK_TYPE_KEYS, within="task_type/")
    return shape.unknown_keys(record, KNOWN_KEYS) + inner


READER = shape.Reader(name="cqia", fits=fits, document=document)
