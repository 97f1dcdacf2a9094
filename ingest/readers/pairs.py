"""A question and its answer under whatever names; and parallel texts, each the translation of the other."""

import re
from collections.abc import Mapping
from hashlib import sha256

from ingest.document import Document
from ingest.readers import facts, shape
from ingest.readers.piece import Piece
from review.text.strict import Malformed, is_blank, text_field

TITLES = ("title", "标题")
QUESTIONS = ("question", "ask", "query", "prompt", "problem", "q", "问题", "提问", "问")
ANSWERS = ("answer", "response", "reply", "completion", "a", "回答", "回复", "答案", "答")
TOPICS = ("department", "科室", "category", "topic", "subject")
OTHERS = frozenset({"votes", "upvotes", "likes", "score", "author", "url", "link", *TOPICS, *shape.IDENTIFIER_KEYS})

LANGUAGES = {
    "古文": "文言文", "文言文": "文言文", "原文": "文言文", "classical": "文言文",
    "现代文": "现代文", "白话文": "现代文", "译文": "现代文", "翻译": "现代文", "modern": "现代文",
    "zh": "中文", "中文": "中文", "chinese": "中文", "en": "英文", "英文": "英文", "english": "英文",
}  # fmt: skip
"""What a text is in, by the name of its column or the word before it."""
TRANSLATE = "请把下面的{}翻译成{}：\n"
BLOCK_LINES = "“古文：”与“现代文：”各一行"
_LABELLED = re.compile(r"\s*([^\s：:]{1,8})\s*[：:]\s*(.*)", re.DOTALL)
SIDES = 2


# Questions and answers


def fits(record: shape.Record) -> bool:
    """Whether the record has a question, or a title, and an answer as text."""
    names = _names(record)
    asks = _key(names, QUESTIONS) or _key(names, TITLES)
    answers = _key(names, ANSWERS)
    return bool(asks and answers) and all(_is_text(record.get(key)) for key in (asks, answers))


def document(record: shape.Record, piece: Piece) -> Document:
    """The document of a question, with the title above it where there is one, and its answer; raises ``Malformed``."""
    names = _names(record)
    title, asked, answer = (_key(names, keys) for keys in (TITLES, QUESTIONS, ANSWERS))
    if not answer:
        raise Malformed("missing", "/answer")
    question = _asked(shape.text(record, title).strip(), shape.text(record, asked).strip())
    text_field(question, f"/{asked or title or 'question'}", allow_empty=False)
    given = record.get(answer)
    found = facts.of({key: value for key, value in record.items() if key not in {asked, answer}})
    return shape.made(
        piece,
        question,
        "" if given is None else text_field(given, f"/{answer}").strip(),
        more_domain=shape.label(record, *(names[key] for key in TOPICS if key in names)),
        external_id=shape.external_id(record),
        facts=found,
        unknown_keys=shape.unknown_keys(record, OTHERS | {title, asked, answer}),
    )


def _names(record: Mapping[str, object]) -> dict[str, str]:
    return {key.strip().lower(): key for key in record}


def _key(names: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """The first of the keys that the record has, as it is written there; empty when it has none."""
    return next((names[key] for key in keys if key in names), "")


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _asked(title: str, question: str) -> str:
    """Title and question, unless one says what the other says."""
    if not question or question in title:
        return title
    return question if title in question else f"{title}\n{question}"


# Parallel texts


def fits_parallel(record: shape.Record) -> bool:
    """Whether the record is the same text twice, in classical and modern Chinese or in two languages."""
    return len({LANGUAGES[key] for key in _sides(record)}) == SIDES


def parallel(record: shape.Record, piece: Piece) -> Document:
    """The document of a translation, in a direction that hangs on the text alone; raises ``Malformed``."""
    sides = _sides(record)
    if len({LANGUAGES[key] for key in sides}) != SIDES or len(sides) != SIDES:
        raise Malformed("not_a_block", expected=BLOCK_LINES)
    for key, text in sides.items():
        text_field(text, f"/{key}", allow_empty=False)
    one, other = sorted((LANGUAGES[key], str(text).strip()) for key, text in sides.items())
    if sha256(one[1].encode("utf-8", "surrogatepass")).digest()[0] % 2:
        one, other = other, one
    known = frozenset(shape.IDENTIFIER_KEYS) | sides.keys() | {"lines"}
    return shape.made(
        piece,
        TRANSLATE.format(one[0], other[0]) + one[1],
        other[1],
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, known),
    )


def _sides(record: shape.Record) -> dict[str, object]:
    """The texts by the names that say what they are in; of a block of lines, by the words before their colons."""
    lines = record.get("lines")
    if not isinstance(lines, list):
        return {key: value for key, value in record.items() if key in LANGUAGES and isinstance(value, str)}
    found = [match for line in lines if isinstance(line, str) and (match := _LABELLED.fullmatch(line))]
    sides = {match[1]: match[2] for match in found if match[1] in LANGUAGES and not is_blank(match[2])}
    return dict(sides) if len(found) == len(lines) else {}


READER = shape.Reader(name="qa", fits=fits, document=document)
PARALLEL = shape.Reader(name="parallel", fits=fits_parallel, document=parallel)
