"""Answers to questions with votes, as question-and-answer sites give them; and their flat form, a row an answer."""

from collections.abc import Mapping

from ingest.document import Document
from ingest.readers import facts, shape
from ingest.readers.piece import Piece
from review.text.strict import Malformed, object_field, parse_object, text_field

SITE = "https://www.zhihu.com"
OF_AN_ANSWER = frozenset(
    {"id", "question", "content", "author", "url", "voteup_count", "comment_count", "created_time", "topics", "tags"}
)
OF_A_ROW = frozenset({"INSTRUCTION", "RESPONSE", "METADATA", "SOURCE"})


def fits(record: shape.Record) -> bool:
    """Whether the record is an answer object with its question inside."""
    return isinstance(record.get("question"), Mapping) and ("content" in record or "answer" in record)


def document(record: shape.Record, piece: Piece) -> Document:
    """The document of an answer object, its HTML as Markdown text; raises ``Malformed``."""
    question = object_field(record.get("question"), "/question")
    title = text_field(shape.text(question, "title", "name"), "/question/title", allow_empty=False).strip()
    detail = facts.markdown_field(question, "detail", "/question/detail")
    content = facts.markdown_field(record, "content" if "content" in record else "answer")
    if not content:
        raise Malformed("empty", "/content")
    qid, aid = shape.external_id(question), shape.external_id(record)
    tags = facts.tags(record) or facts.tags(question)
    found = shape.without_empty(title=title, detail=detail, author=_author(record), **_figures(record))
    return shape.made(
        piece,
        f"{title}\n{detail}" if detail else title,
        content,
        metadata=shape.metadata_of(qid=qid, aid=aid, tag=list(tags) or None),
        external_id=aid,
        facts=found | shape.without_empty(address=_address(record, qid, aid), tags=tags or None),
        unknown_keys=shape.unknown_keys(record, OF_AN_ANSWER),
    )


def _figures(record: shape.Record) -> dict[str, object]:
    return {
        "votes": facts.first_number(record, *facts.NUMBERS["votes"]),
        "comments": facts.first_number(record, *facts.NUMBERS["comments"]),
        "created_at": facts.moment(record),
    }


def _author(record: shape.Record) -> str:
    author = record.get("author")
    return shape.text(author, "name") if isinstance(author, Mapping) else shape.text(record, "author")


def _address(record: shape.Record, qid: str | None, aid: str | None) -> str:
    """The page that people read, where the record gives the address for programs."""
    address = shape.text(record, "url")
    return f"{SITE}/question/{qid}/answer/{aid}" if address.startswith(SITE) and qid and aid else address


def fits_row(record: shape.Record) -> bool:
    """Whether the record is the flat form: question and answer in capitals, all else in one text."""
    return "INSTRUCTION" in record and "RESPONSE" in record


def row(record: shape.Record, piece: Piece) -> Document:
    """The document of the flat form; what its metadata say becomes facts where it can be read; raises ``Malformed``."""
    said = text_field(record.get("METADATA") or "", "/METADATA")
    about = _parsed(said)
    qid, aid = _whole(about, "question_id"), _whole(about, "answer_id")
    question = text_field(record.get("INSTRUCTION"), "/INSTRUCTION", allow_empty=False)
    moment = next((shape.text(about, key) for key in ("answer_creation_time", *facts.MOMENTS) if key in about), "")
    return shape.made(
        piece,
        question.strip(),
        facts.markdown_field(record, "RESPONSE"),
        metadata=shape.metadata_of(qid=qid, aid=aid) if about else said or shape.metadata_of(),
        external_id=aid or None,
        facts=shape.without_empty(
            title=question.split("\n", 1)[0].strip(),
            votes=facts.first_number(about, *facts.NUMBERS["votes"]),
            comments=facts.first_number(about, *facts.NUMBERS["comments"]),
            address=shape.text(about, "url"),
            created_at=moment,
        ),
        unknown_keys=shape.unknown_keys(record, OF_A_ROW),
    )


def _parsed(said: str) -> Mapping[str, object]:
    try:
        return parse_object(said.encode())
    except Malformed:
        return {}


def _whole(about: Mapping[str, object], key: str) -> str:
    """A number as tables write it, 12.0, as the identifier that it is."""
    return shape.identifier(shape.text(about, key).removesuffix(".0"), f"/METADATA/{key}")


READER = shape.Reader(name="answers", fits=fits, document=document)
ROW = shape.Reader(name="answer-rows", fits=fits_row, document=row)
