"""How exam questions are laid out: options under the stem, the analysis before the answer, the answer always alike."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from review.text.strict import Malformed

LETTERS = "ABCDEFGHIJ"
ANSWER = "答案："
SINGLE, MULTIPLE = "单项选择题", "多项选择题"

_NUMBER = re.compile(
    r"\s*(?:【\d{1,4}】|[(（]\d{1,3}[)）]|\d{1,3}\s*(?:．|、(?!\s*\d+\s*、)|\.(?!\d)|\.(?=\d{4}\s*年)))\s*"
)
"""The number of a question; not the first of a row of numbers."""
_POINTS = re.compile(r"[(（]\s*\d{1,3}(?:\.\d)?\s*分\s*[)）]\s*")
_MARKER = re.compile(r"\s*[(（]?([A-Ja-j])\s*[)）．.。、:：]\s*|\s*([A-J])\s+")
_INLINE_MARKER = re.compile(r"(?<![A-Za-z])([A-J])\s*([．.、])\s*")
_NEAR = 8
"""Characters before a letter that are looked at."""
_SENTENCE_END = tuple("。！？；：…”』」!?;:")
_NEW_ITEM = re.compile(
    r"\s*(?:[A-J]\s*[．.、]|[①-⑳]|[(（]?\d{1,2}[)）．、]|[(（][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、|材料|【|故选|故答案)"
)
_SAID_ANSWER = re.compile(
    r"(?:故|因此|所以|综上(?:所述)?|据此)?[，,]?\s*+(?:本题)?(?:的)?(?:正确)?(?:参考)?"
    r"(?:答案\s*+(?:应?[为选是]|[:：])|[应故]?选择?)\s*+[:：]?\s*+([A-J](?:[、,，\s]*+[A-J])*+)\s*+项?\s*+[。.]?\s*+\Z"
)
_SAID_WITHIN = 200
"""Characters at the end of an analysis in which its answer is looked for."""
_WORD_END, _WORD_BEGIN = re.compile(r"[A-Za-z,.;:]"), re.compile(r"[A-Za-z]")


def stem(text: str) -> str:
    """A question without its number and points in the paper, its broken lines joined, its options line by line."""
    text = joined_lines(text)
    text = text[match.end() :] if (match := _NUMBER.match(text)) else text
    text = text[match.end() :] if (match := _POINTS.match(text)) else text
    return _options_apart(text).strip()


def joined_lines(text: str) -> str:
    """A text whose lines were broken where the page ended, in one piece again; its own paragraphs stay."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    parts = [lines[0]]
    for before, line in pairwise(lines):
        if not line or not before or before.endswith(_SENTENCE_END) or _NEW_ITEM.match(line):
            parts.append("\n")
        elif _WORD_END.match(before[-1]) and _WORD_BEGIN.match(line):
            parts.append(" ")
        parts.append(line)
    return re.sub(r"\n{2,}", "\n", "".join(parts)).strip()


def with_options(question: str, options: Sequence[str]) -> str:
    """A question with its options under it, each behind its letter, whatever letters they had."""
    lettered = list(zip(LETTERS, options, strict=False))
    are_marked = all(option_letter(option) == letter for letter, option in lettered)
    lines = [f"{letter}. {bare_option(option, letter, even_unpointed=are_marked)}" for letter, option in lettered]
    return "\n".join([question.strip(), *lines])


def bare_option(option: str, letter: str, *, even_unpointed: bool = False) -> str:
    """An option without the letter that it may bear already; one before a mere blank may be a word, as in “A cat”."""
    match = _MARKER.match(option)
    is_marked = match and ((match[1] or "").upper() == letter or (even_unpointed and match[2] == letter))
    return (option[match.end() :] if match and is_marked else option).strip()


def answer(letters_or_text: str, analysis: str = "") -> str:
    """The analysis, then the answer; an analysis that ends by stating the same answer states it once."""
    said = letters_or_text.strip()
    analysis = joined_lines(analysis) if analysis else ""
    match = _SAID_ANSWER.search(analysis, max(len(analysis) - _SAID_WITHIN, 0))
    if match and letters_named(match[1]) == letters_named(said):
        analysis = analysis[: match.start()].rstrip(" ，,\n")
        analysis += "" if analysis.endswith(_SENTENCE_END) or not analysis else "。"
    stated = f"{ANSWER}{said}" if said else ""
    return "\n\n".join(part for part in (analysis, stated) if part)


def letters_in(said: str) -> str:
    """The letters of the options that an answer chooses, each once and from A on; empty for any other answer."""
    letters = letters_named(said)
    return letters if letters == "".join(sorted(set(letters))) else ""


def letters_named(said: str) -> str:
    """The letters that an answer consists of, as it gives them; empty when it is a text, such as a word."""
    bare = re.sub(r"[^\S\n]|[,，、.。;；()（）]", "", said)
    bare = bare.upper() if len(bare) == 1 else bare
    return bare if bare and all(sign in LETTERS for sign in bare) else ""


def letters_of(value: object, pointer: str, options: Sequence[str]) -> str:
    """The letters of the right options, from letters, the text of one, a number from 0, or a list of these."""
    values = value if isinstance(value, list) else [value]
    return "".join(_letters_of(item, pointer, options) for item in values if item is not None and item != "")


def _letters_of(item: object, pointer: str, options: Sequence[str]) -> str:
    """What an item names, by the first way to read it that leads to options."""
    known, said = LETTERS[: len(options)], item.strip() if isinstance(item, str) else ""
    alike = [letter for letter, option in zip(known, options, strict=False) if bare_option(option, letter) == said]
    for letters in (
        LETTERS[item : item + 1] if type(item) is int and item >= 0 else "",
        letters_named(said),
        "".join(alike) if len(alike) == 1 else "",
        letters_in(said.upper()) if said.islower() else "",
    ):
        if letters and all(letter in known for letter in letters):
            return letters
    raise Malformed("no_such_option", pointer, answer=str(item)[:20])


def kind(letters: str) -> tuple[str, ...]:
    """What kind of question it is by the letters of its answer, as a label; none where they are no choice."""
    chosen = letters_in(letters)
    return ((SINGLE if len(chosen) == 1 else MULTIPLE),) if chosen else ()


def _options_apart(text: str) -> str:
    """Each option of the last run A, B, C … on its own line; nothing changes where there is no such run."""
    runs: dict[str, list[re.Match[str]]] = {}
    for match in reversed([match for match in _INLINE_MARKER.finditer(text) if _may_begin_option(text, match)]):
        letter = match[1]
        run = runs[letter] = [match, *runs.get(chr(ord(letter) + 1), [])]
        ends = [*(after.start() for after in run[1:]), len(text)]
        if letter == "A" and len(run) > 1 and all(each.end() < end for each, end in zip(run, ends, strict=True)):
            options = [text[each.end() : end] for each, end in zip(run, ends, strict=True)]
            return with_options(text[: match.start()], [" ".join(option.split()) for option in options])
    return text


def _may_begin_option(text: str, marker: re.Match[str]) -> bool:
    """Whether a letter begins an option; before “、”, which joins names in a sentence too, it must stand apart."""
    before = text[max(marker.start() - _NEAR, 0) : marker.start()]
    if marker[2] != "、":
        return True
    return not (before.rstrip(" \t\u3000")[-1:].isalnum() if marker[1] == "A" else before[-1:].strip())


def option_letter(line: str) -> str:
    """The letter of the option that a line is; empty when it is none."""
    match = _MARKER.match(line)
    return (match[1] or match[2]).upper() if match else ""


def in_order(lines: Sequence[str]) -> list[str] | None:
    """Lines that are options, by their letters, for two columns are often read one after the other; None for others."""
    letters = [option_letter(line) for line in lines]
    if "".join(sorted(letters)) != LETTERS[: len(lines)] or "" in letters:
        return None
    return sorted(lines, key=option_letter)


def columns(record: Mapping[str, object]) -> list[str]:
    """The names of the columns A, B, C … that the record has, in order."""
    names: list[str] = []
    for letter in LETTERS:
        name = next((key for key in (letter, letter.lower(), f"option_{letter.lower()}") if key in record), None)
        if name is None:
            break
        names.append(name)
    return names
