"""Lines that no reader may take, each with the code of its refusal; and clean ones to put between them."""

import json
from collections.abc import Callable
from typing import Any

VARIANTS = 50
TEXT_FIELDS = ("instruction", "input", "output")
HANZI = "春夏秋冬山水风云日月星辰花鸟虫鱼"


def record(number: int) -> dict[str, Any]:
    """A clean record of the nine published fields, different for every number."""
    sign = HANZI[number % len(HANZI)]
    return {
        "instruction": f"第{number}问：“{sign}”字怎么写？",
        "input": "" if number % 3 else f"例词：{sign}{sign}\n请说明。",
        "output": f"先写“{sign}”的上部，再写下部，共{number}步。",
        "task_type": {"major": ["问答"], "minor": ["知识问答", f"第{number % 7}类"]},
        "domain": ["语文"],
        "metadata": f'{{"编号": {number}}}',
        "answer_from": "human",
        "human_verified": bool(number % 2),
        "copyright": "测试用文，随意使用。",
    }


def line(fields: dict[str, Any]) -> bytes:
    """A record on a line, written as the published files are."""
    return json.dumps(fields, ensure_ascii=False).encode()


def good_lines(count: int) -> list[bytes]:
    """That many clean lines, no two alike."""
    return [line(record(number)) for number in range(count)]


def faulty_lines() -> list[tuple[bytes, str]]:
    """Every kind of fault in its variants; always the same, whole lines in another encoding at the end."""
    return [(make(variant), code) for make, code, variants in KINDS for variant in range(variants)]


def with_text(variant: int, written: bytes) -> bytes:
    """A line into one of whose texts the bytes are put as they are."""
    field = TEXT_FIELDS[variant % len(TEXT_FIELDS)]
    fields = record(variant)
    fields[field] += "@@"
    return line(fields).replace(b"@@", written)


def with_value(variant: int, written: bytes) -> bytes:
    """A line with one key more, whose value is written as the bytes are."""
    return line(record(variant) | {f"附加{variant}": "@@"}).replace(b'"@@"', written)


def with_field(variant: int, choices: list[tuple[str, Any]]) -> bytes:
    """A line with a field of another value."""
    field, value = choices[variant % len(choices)]
    return line(record(variant) | {field: value})


def without_field(variant: int) -> bytes:
    fields = record(variant)
    del fields[("instruction", "output")[variant % 2]]
    return line(fields)


def with_labels(variant: int, value: object) -> bytes:
    fields = record(variant)
    fields["task_type"][("major", "minor")[variant % 2]] = value
    return line(fields)


def lone_surrogate(variant: int) -> bytes:
    escapes = (b"\\ud83d", b"\\udc4d", b"\\udc4d\\ud83d", b"\\uD800\\u0041", b"\\\\\\udfff")
    return with_text(variant, escapes[variant % len(escapes)])


def invalid_utf8(variant: int) -> bytes:
    pieces = (b"\xff", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe4\xbd", b"\x80", b"\xf8\x88\x80\x80\x80")
    return with_text(variant, pieces[variant % len(pieces)])


def not_finite(variant: int) -> bytes:
    numbers = (b"1e999", b"-1e999", b"1.8e308", b"9" * 400, b"[1, -" + b"1" * 5000 + b"]")
    return with_value(variant, numbers[variant % len(numbers)])


def constant(variant: int) -> bytes:
    words = (b"NaN", b"Infinity", b"-Infinity", b"[NaN]", b'{"deep": [Infinity]}')
    return with_value(variant, words[variant % len(words)])


def duplicate_key(variant: int) -> bytes:
    field = list(record(0))[variant % 9]
    value = json.dumps(record(variant)[field], ensure_ascii=False).encode()
    return b'{"%b": %b, ' % (field.encode(), value) + line(record(variant))[1:]


def spaced_duplicate_key(variant: int) -> bytes:
    space = (b" ", b"\t", b"  ", b" \t ", b"\r")[variant % 5]
    return b'{"instruction"%b: "", ' % space + line(record(variant))[1:]


def hidden_duplicate_key(variant: int) -> bytes:
    """Equal keys that look different, lie deeper, or hide behind text that looks like a key."""
    written = (
        b'{"\\u0069nput": ""',
        b'{"nested": {"a": 1, "b": [], "a": 1}',
        b'{"list": [[{"a": 1}, {"a" : 2, "a": "\\":"}]]',
    )[variant % 3]
    return written + b", " + line(record(variant))[1:]


def too_deep(variant: int) -> bytes:
    depth = 100_000 if variant % 10 == 0 else 64 + variant
    opening, closing = ((b"[", b"]"), (b'{"a":', b"}"))[variant % 2]
    return with_value(variant, opening * depth + b"1" + closing * depth)


def trailing_comma(variant: int) -> bytes:
    clean = line(record(variant))
    return clean[:-1] + b" , }" if variant % 2 else clean.replace(b'["\xe8\xaf\xad\xe6\x96\x87"]', b'["a", ]')


def two_on_a_line(variant: int) -> bytes:
    return line(record(variant)) + (b" ", b"", b", ", b"\t", b";")[variant % 5] + line(record(variant + 1))


def scalar(variant: int) -> bytes:
    return (b"42", b'"\xe6\x96\x87"', b"null", b"true", b"-1.5", b"[]")[variant % 6]


def truncated(variant: int) -> bytes:
    text = line(record(variant)).decode()
    return text[: 1 + variant * (len(text) - 2) // VARIANTS].encode()


def no_json(variant: int) -> bytes:
    clean = line(record(variant))
    return (
        clean.replace(b'"', b"'"),
        b"// " + clean,
        clean[:-1] + b" /* end */}",
        clean.replace(b'"output"', b"output"),
        clean.replace(b", ", b" ", 1),
        clean.replace(b'"input": ', b'"input" '),
        with_value(variant, b"01"),
        with_value(variant, b"+1"),
        with_value(variant, b"True"),
        with_text(variant, b"\\x41"),
    )[variant % 10]


def another_encoding(variant: int) -> bytes:
    if variant % 5:
        return line(record(variant)).decode().encode("gb18030")
    traditional = {"instruction": f"第{variant}題：這個問題怎麼解？", "output": "請看書。"}
    return line(traditional).decode().encode("big5")


NOT_TEXTS: list[Any] = [[], {}, 1, 1.5, True, ["文"]]
NOT_LABELS: list[Any] = ["文", 1, ["文"], []]
NOT_CLAIMS: list[Any] = ["true", 0, 1, [], {}]
WRONG_TEXTS = [(field, value) for field in TEXT_FIELDS for value in NOT_TEXTS]
WRONG_LABELS = [("task_type", value) for value in NOT_LABELS] + [("domain", [value]) for value in NOT_LABELS[1:]]
WRONG_CLAIMS = [("human_verified", value) for value in NOT_CLAIMS] + [
    (field, value) for field in ("copyright", "metadata", "answer_from") for value in NOT_CLAIMS[1:]
]
BLANKS = (" ", "\n", "\t \r\n", "\u3000", "\u200b", "\ufeff\u2028", "\u00a0 \u0085")
LONG_TEXTS = [(field, "x" * 100_001) for field in (*TEXT_FIELDS, "metadata", "copyright", "answer_from")]
LONG_NAMES = [("domain", ["长" * 201]), ("id", "x" * 201), ("external_id", 10**250)]

KINDS: list[tuple[Callable[[int], bytes], str, int]] = [
    (lambda variant: with_text(variant, b"\\u0000"), "nul", VARIANTS),
    (lambda variant: with_text(variant, b"\x00"), "nul", VARIANTS),
    (lambda variant: line(record(variant) | {f"key{variant}\x00": 1}), "nul", VARIANTS),
    (lone_surrogate, "lone_surrogate", VARIANTS),
    (constant, "not_finite", VARIANTS),
    (not_finite, "not_finite", VARIANTS),
    (duplicate_key, "duplicate_key", VARIANTS),
    (spaced_duplicate_key, "duplicate_key", VARIANTS),
    (hidden_duplicate_key, "duplicate_key", VARIANTS),
    (too_deep, "too_deep", VARIANTS),
    (lambda variant: with_text(variant, b"x" * (1 << 20)), "line_too_long", 2),
    (trailing_comma, "trailing_comma", VARIANTS),
    (two_on_a_line, "more_than_one", VARIANTS),
    (scalar, "not_an_object", VARIANTS),
    (lambda variant: b"[" + line(record(variant)) + b"]", "not_an_object", VARIANTS),
    (truncated, "truncated", VARIANTS),
    (no_json, "syntax", VARIANTS),
    (lambda variant: with_text(variant, b"\t\x0b\x1b\x01\x08"[variant % 5 :][:1]), "control_character", VARIANTS),
    (lambda variant: b"\xef\xbb\xbf" * (2 + variant % 3) + line(record(variant)), "byte_order_mark", VARIANTS),
    (lambda variant: with_field(variant, WRONG_TEXTS), "wrong_type", VARIANTS),
    (lambda variant: with_field(variant, [(field, None) for field in record(0)]), "wrong_type", VARIANTS),
    (lambda variant: with_field(variant, WRONG_LABELS), "wrong_type", VARIANTS),
    (lambda variant: with_labels(variant, ("问答", None, {}, ["a", 1], [None])[variant % 5]), "wrong_type", VARIANTS),
    (lambda variant: with_field(variant, WRONG_CLAIMS), "wrong_type", VARIANTS),
    (without_field, "missing", VARIANTS),
    (lambda variant: with_field(variant, [("instruction", "")]), "empty", VARIANTS),
    (lambda variant: with_field(variant, [("instruction", blank) for blank in BLANKS]), "empty", VARIANTS),
    (lambda variant: with_field(variant, LONG_TEXTS), "field_too_long", 6),
    (lambda variant: with_field(variant, LONG_NAMES), "field_too_long", VARIANTS),
    (lambda variant: with_labels(variant, [f"第{number}类" for number in range(101)]), "too_many", VARIANTS),
    (lambda variant: with_field(variant, [("history", [["问", "答"]] * (1 + variant))]), "multi_turn", VARIANTS),
    (lambda variant: with_text(variant, b"\xed\xa0\xbd\xed\xb8\x80" * (1 + variant % 3)), "cesu_8", VARIANTS),
    (invalid_utf8, "not_utf8", VARIANTS),
    (another_encoding, "not_utf8", VARIANTS),
]
