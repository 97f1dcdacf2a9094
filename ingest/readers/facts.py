"""What a source says of a record besides its question and answer, under the names of ``Document.facts``."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ingest.readers import shape
from ingest.readers.markdown import plain_or_markdown
from review.text.strict import Malformed, object_field, text_field

MAX_HTML_CHARACTERS = 500_000
MAX_FACTS = 60
MAX_TAGS = 50
MAX_MOMENT = 253_402_300_799
"""Seconds since 1970 at the end of the year 9999."""

TEXTS = {
    "title": ("title", "name", "word", "term", "entry", "标题", "名称", "词条", "题名", "书名", "片名"),
    "detail": ("detail", "abs", "abstract", "摘要"),
    "author": ("author", "lz", "user", "作者"),
    "address": ("address", "url", "link", "href", "链接"),
}
BODIES = ("body", "content", "html", "text", "article", "explanation", "description", "正文", "内容", "释义", "简介")
NUMBERS = {
    "votes": ("votes", "voteup_count", "upvotes", "likes", "赞同数", "点赞数"),
    "comments": ("comments", "comment_count", "评论数"),
    "replies": ("replies", "n_reply", "reply_num", "reply_count", "回复数"),
    "score": ("score", "rating", "评分", "分数"),
    "year": ("year", "年份", "年代"),
    "rank": ("rank", "排名"),
}
MOMENTS = ("created_at", "created_time", "created", "date", "time", "发布时间")


def of(record: shape.Record) -> dict[str, object]:
    """Every fact of a record: those with several names under one, those of its own under theirs."""
    found: dict[str, object] = {fact: shape.text(record, *keys) for fact, keys in TEXTS.items()}
    found |= {fact: first_number(record, *keys) for fact, keys in NUMBERS.items()}
    found |= {"body": body(record), "sections": sections(record), "tags": tags(record), "created_at": moment(record)}
    known = {
        key for keys in (*TEXTS.values(), *NUMBERS.values(), BODIES, MOMENTS, ("sections", "tags")) for key in keys
    }
    others = {key: value for key, value in record.items() if key not in known and type(value) in {str, int, float}}
    found |= {key: shape.text(others, key) for key in list(others)[:MAX_FACTS]}
    return {fact: value for fact, value in found.items() if value not in ("", None, (), {})}


def first_number(record: shape.Record, *keys: str) -> int | float | None:
    """The first of the fields that holds a number, also one in words."""
    return next((figure for key in keys if (figure := shape.number(record.get(key))) is not None), None)


def body(record: shape.Record, *keys: str) -> str:
    """The text of an entry or article, as Markdown where it is HTML."""
    return next((found for key in keys or BODIES if (found := markdown_field(record, key))), "")


def markdown_field(record: shape.Record, key: str, pointer: str = "") -> str:
    """A field that may hold HTML, as Markdown text without blank ends; empty when there is none."""
    value = record.get(key)
    if value is None or value == "":
        return ""
    pointer = pointer or f"/{key}"
    html = text_field(value, pointer, max_characters=MAX_HTML_CHARACTERS)
    try:
        return text_field(plain_or_markdown(html).strip(), pointer)
    except Malformed as fault:
        raise Malformed(fault.code, pointer, **fault.parameters) from None


def sections(record: shape.Record) -> dict[str, str]:
    """The named parts of an entry: an object of texts by heading, or a list of headings with texts."""
    given = record.get("sections")
    if isinstance(given, Mapping):
        return {str(heading): markdown_field(given, heading, f"/sections/{heading}") for heading in given}
    if not isinstance(given, list):
        return {}
    parts = [object_field(part, f"/sections/{place}") for place, part in enumerate(given)]
    return {
        shape.text(part, "heading", "title", "name"): body(part, "text", "content", "body", "html") for part in parts
    }


def tags(record: shape.Record) -> tuple[str, ...]:
    """The words that a record is tagged with, as texts or as objects with a name."""
    given = record.get("tags") or record.get("topics")
    if not isinstance(given, list):
        return ()
    names = [tag.get("name") if isinstance(tag, Mapping) else tag for tag in given[:MAX_TAGS]]
    return tuple(text_field(name, "/tags") for name in names if isinstance(name, str) and name.strip())


def moment(record: shape.Record) -> str:
    """When a record was made, as it is written there, or in ISO's form when it is a count of seconds."""
    value = next((record[key] for key in MOMENTS if record.get(key)), "")
    if type(value) is int and 0 < value <= MAX_MOMENT:
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value if isinstance(value, str) else ""
