"""What has no answer beside a question: articles, poems, threads, prompts, and entries with attributes only."""

import re

from ingest.document import Document
from ingest.readers import facts, shape
from ingest.readers.piece import Piece
from review.text.strict import Malformed, string_list, text_field

PROMPTS = ("prompt", "question", "query", "instruction", "问题", "提问")
ANSWERS = ("output", "answer", "response", "completion", "回答", "答案")
TOPICS = ("domain_zh", "domain_en", "domain", "topic", "category")
METADATA = {"year": "year", "score": "score", "rank": "rank", "author": "author", "url": "address"}
"""The names under which facts of entries and articles stand in the metadata, in their order."""
OF_A_PROMPT = frozenset({"id_", *TOPICS, *shape.IDENTIFIER_KEYS})
OF_A_POEM = frozenset({"author", "title", "paragraphs", "content", "tags", "dynasty", *shape.IDENTIFIER_KEYS})
OF_A_THREAD = frozenset(
    {"title", *facts.TEXTS["detail"], *facts.TEXTS["author"], *facts.TEXTS["address"], *facts.NUMBERS["replies"], "id"}
)
CONTINUE = "以下是{poem}的上半首，求下半首：\n{half}"
WRITE_OUT = "求{poem}全文。"
"""Both in characters that simplified and traditional script share, for a poem may be in either."""

_QUESTION = re.compile(
    r"[?？]\s*\Z|\A\s*(?:如何|怎样|怎么|怎|为什么|为何|什么是|什么|哪|谁|是否)|(?:吗|呢|怎么办|是什么)\s*\Z"
)
_VERSE_END = re.compile(r"(?<=[。！？；])")
_THREAD = re.compile(r"/p/(\d{1,20})")


# Articles


def fits_article(record: shape.Record) -> bool:
    """Whether the record has a title and a body, as text, as HTML or in sections."""
    if not _has(record, facts.TEXTS["title"]):
        return False
    return _has(record, facts.BODIES) or isinstance(record.get("sections"), dict | list)


def article(record: shape.Record, piece: Piece) -> Document:
    """The document of an article: where its title asks, the body is the answer; else templates see to it."""
    found = facts.of(record)
    title = text_field(found.get("title", ""), "/title", allow_empty=False).strip()
    asks = bool(_QUESTION.search(title))
    return shape.made(
        piece,
        title if asks else "",
        _whole(found) if asks else "",
        metadata=_about(found),
        external_id=shape.external_id(record),
        facts=found,
    )


def _about(found: dict[str, object]) -> str:
    """What the source says of an entry or article besides its text, as metadata."""
    return shape.metadata_of(**{name: found.get(fact) for name, fact in METADATA.items()})


def _whole(found: dict[str, object]) -> str:
    """The body, and under their headings the sections."""
    sections = found.get("sections")
    parts = (
        [f"## {heading}\n\n{text}" for heading, text in sections.items() if text] if isinstance(sections, dict) else []
    )
    return "\n\n".join([str(found["body"]), *parts] if "body" in found else parts)


def _has(record: shape.Record, keys: tuple[str, ...]) -> bool:
    return any(isinstance(value := record.get(key), str) and value for key in keys)


# Poems


def fits_poem(record: shape.Record) -> bool:
    """Whether the record is a poem: verses as a list, and a title or an author."""
    return isinstance(record.get("paragraphs"), list) and not {"title", "author"}.isdisjoint(record)


def poem(record: shape.Record, piece: Piece) -> Document:
    """The document of a poem whose second half is asked for; one of a single sentence is asked for as a whole."""
    paragraphs = _verses(record.get("paragraphs"))
    if not paragraphs:
        raise Malformed("empty", "/paragraphs")
    title, author = shape.text(record, "title").strip(), shape.text(record, "author").strip()
    name = f"{author}{title if title.startswith('《') else f'《{title}》'}" if title else f"{author}诗"
    verses = paragraphs if len(paragraphs) > 1 else [verse for verse in _VERSE_END.split(paragraphs[0]) if verse]
    middle = (len(verses) + 1) // 2
    half, rest = "\n".join(verses[:middle]), "\n".join(verses[middle:])
    return shape.made(
        piece,
        CONTINUE.format(poem=name, half=half) if rest else WRITE_OUT.format(poem=name),
        rest or half,
        metadata=shape.metadata_of(title=title, author=author),
        external_id=shape.external_id(record),
        facts=shape.without_empty(
            title=title, author=author, body="\n".join(paragraphs), tags=facts.tags(record) or None
        ),
        unknown_keys=shape.unknown_keys(record, OF_A_POEM),
    )


def _verses(value: object) -> list[str]:
    if not isinstance(value, list):
        string_list(value, "/paragraphs")
        return []
    lines = (text_field(line, f"/paragraphs/{place}").strip() for place, line in enumerate(value))
    return [line for line in lines if line]


# Threads of a forum


def fits_thread(record: shape.Record) -> bool:
    """Whether the record is the beginning of a thread: a title with a number of replies."""
    return "title" in record and not set(facts.NUMBERS["replies"]).isdisjoint(record)


def thread(record: shape.Record, piece: Piece) -> Document:
    """The document of a thread, which waits for its answer; raises ``Malformed``."""
    title = text_field(record.get("title"), "/title", allow_empty=False).strip()
    detail = shape.text(record, *facts.TEXTS["detail"]).strip()
    address = shape.text(record, *facts.TEXTS["address"])
    number = _THREAD.search(address)
    identity = number[1] if number else shape.external_id(record)
    replies = facts.first_number(record, *facts.NUMBERS["replies"])
    return shape.made(
        piece,
        title if not detail or detail in title else detail if detail.startswith(title) else f"{title}\n{detail}",
        "",
        metadata=shape.metadata_of(tid=identity, replies=replies),
        external_id=identity,
        facts=shape.without_empty(
            title=title,
            detail=detail,
            replies=replies,
            author=shape.text(record, *facts.TEXTS["author"]),
            address=address,
        ),
        unknown_keys=shape.unknown_keys(record, OF_A_THREAD),
    )


# Prompts without answers


def fits_prompt(record: shape.Record) -> bool:
    """Whether the record has a question under a name for one."""
    return _has(record, PROMPTS)


def prompt(record: shape.Record, piece: Piece) -> Document:
    """The document of a question that waits for its answer, or after all has one; raises ``Malformed``."""
    key = next((key for key in PROMPTS if record.get(key)), PROMPTS[0])
    answer = next((key for key in ANSWERS if record.get(key)), ANSWERS[0])
    known = OF_A_PROMPT | {key, answer, "input"}
    return shape.made(
        piece,
        text_field(record.get(key, ""), f"/{key}", allow_empty=False).strip(),
        text_field(record.get(answer) or "", f"/{answer}"),
        input=text_field(record.get("input") or "", "/input"),
        more_domain=shape.label(record, *TOPICS),
        external_id=shape.external_id(record) or shape.identifier(shape.text(record, "id_"), "/id_") or None,
        unknown_keys=shape.unknown_keys(record, known),
    )


# Entries with attributes only


def fits_entry(record: shape.Record) -> bool:
    """Whether the record has something like a title."""
    return _has(record, facts.TEXTS["title"])


def entry(record: shape.Record, piece: Piece) -> Document:
    """The document of an entry: no question, all that it says as facts; templates make a question of it."""
    found = facts.of(record)
    return shape.made(piece, "", "", metadata=_about(found), external_id=shape.external_id(record), facts=found)


ARTICLE = shape.Reader(name="articles", fits=fits_article, document=article)
POEM = shape.Reader(name="poems", fits=fits_poem, document=poem)
THREAD = shape.Reader(name="threads", fits=fits_thread, document=thread)
PROMPT = shape.Reader(name="prompts", fits=fits_prompt, document=prompt)
ENTRY = shape.Reader(name="entries", fits=fits_entry, document=entry)
