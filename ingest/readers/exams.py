"""Exam questions in their several shapes; each becomes a question with its options, and analysis and answer."""

import re

from ingest.document import Document
from ingest.readers import questions, shape
from ingest.readers.piece import Piece
from review.text.strict import Malformed, string_list, text_field

BLOCK_LINES = "答案字母、题干、选项各一行"
_LETTER = re.compile(r"\s*[A-Ja-j]\s*")
LEAST_OPTIONS = 2

ANALYSES = ("analysis", "explanation", "solution", "解析")
OF_A_PAPER = frozenset({"question", "answer", "year", "category", "score", "index", *ANALYSES, *shape.IDENTIFIER_KEYS})
OF_COIG = frozenset(
    {
        "textbox_q_instruction",
        "textbox_q_context",
        "textbox_question",
        "textbox_answer",
        "textbox_answer_analysis",
        *shape.IDENTIFIER_KEYS,
    }
)
OF_OPTIONS = frozenset(
    {"passage", "question", "options", "choices", "label", "answer", "other", *ANALYSES, *shape.IDENTIFIER_KEYS}
)


# A paper: question with its options inside, answer, analysis, year, score


def fits_paper(record: shape.Record) -> bool:
    """Whether the record is a question with an answer and an analysis or points."""
    return "question" in record and "answer" in record and not {"analysis", "score", "解析"}.isdisjoint(record)


def paper(record: shape.Record, piece: Piece) -> Document:
    """The document of a question as exam papers give it; raises ``Malformed``."""
    said = _answers(record.get("answer"), "/answer")
    letters = questions.letters_in(said)
    year, score = shape.text(record, "year"), shape.number(record.get("score"))
    category = shape.text(record, "category").strip("（）() ")
    return shape.made(
        piece,
        questions.stem(_question(record, "question")),
        questions.answer(letters or said, shape.text(record, *ANALYSES)),
        metadata=shape.metadata_of(year=year, category=category, score=score),
        more_minor=questions.kind(letters),
        external_id=shape.external_id(record),
        facts=shape.without_empty(year=shape.number(year), score=score, category=category),
        unknown_keys=shape.unknown_keys(record, OF_A_PAPER),
    )


def _question(record: shape.Record, key: str) -> str:
    return text_field(shape.text(record, key), f"/{key}", allow_empty=False)


def _answers(value: object, pointer: str) -> str:
    """The answer, or several of them in order."""
    if isinstance(value, list):
        texts = [text_field(item, f"{pointer}/{place}").strip() for place, item in enumerate(value)]
        letters = [questions.letters_named(text) for text in texts]
        return "".join(letters) if all(len(letter) == 1 for letter in letters) else "\n".join(texts)
    return "" if value is None else text_field(value, pointer).strip()


# COIG's exam instructions


def fits_coig(record: shape.Record) -> bool:
    """Whether the record has the field names of COIG's exam instructions."""
    return "textbox_question" in record


def coig(record: shape.Record, piece: Piece) -> Document:
    """The document of one of COIG's exam questions; raises ``Malformed``."""
    said = _answers(record.get("textbox_answer"), "/textbox_answer")
    letters = questions.letters_in(said)
    asked = questions.stem(_question(record, "textbox_question"))
    before = [shape.text(record, key).strip() for key in ("textbox_q_instruction", "textbox_q_context")]
    return shape.made(
        piece,
        "\n".join(part for part in (*before, asked) if part),
        questions.answer(letters or said, shape.text(record, "textbox_answer_analysis")),
        more_minor=questions.kind(letters),
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, OF_COIG),
    )


# Passage, question, options, label


def fits_options(record: shape.Record) -> bool:
    """Whether the record is a question with a list of options."""
    return "question" in record and any(isinstance(record.get(key), list) for key in ("options", "choices"))


def options(record: shape.Record, piece: Piece) -> Document:
    """The document of a question with a list of options, whose label is a letter or a list; raises ``Malformed``."""
    key = "choices" if "choices" in record and not isinstance(record.get("options"), list) else "options"
    given = _texts(record.get(key), f"/{key}")
    label = "label" if record.get("label") is not None else "answer"
    letters = questions.letters_of(record.get(label), f"/{label}", given)
    other = record.get("other")
    analysis = shape.text(record, *ANALYSES) or (shape.text(other, *ANALYSES) if isinstance(other, dict) else "")
    return _multiple_choice(record, piece, given, letters, analysis, OF_OPTIONS)


def _texts(value: object, pointer: str) -> list[str]:
    if not isinstance(value, list):
        string_list(value, pointer)
        return []
    return [text_field(option, f"{pointer}/{place}") for place, option in enumerate(value)]


def _multiple_choice(  # noqa: PLR0913, PLR0917 -- the parts of a question
    record: shape.Record, piece: Piece, given: list[str], letters: str, analysis: str, known: frozenset[str]
) -> Document:
    asked = questions.stem(_question(record, "question" if "question" in record else "Question"))
    passage = shape.text(record, "passage").strip()
    return shape.made(
        piece,
        questions.with_options(f"{passage}\n{asked}" if passage else asked, given),
        questions.answer(letters, analysis) if letters else "",
        more_minor=questions.kind(letters),
        external_id=shape.external_id(record),
        unknown_keys=shape.unknown_keys(record, known),
    )


# Tables with a column an option


def fits_columns(record: shape.Record) -> bool:
    """Whether the record is a question with columns A, B and so on."""
    return ("question" in record or "Question" in record) and len(questions.columns(record)) >= LEAST_OPTIONS


def columns(record: shape.Record, piece: Piece) -> Document:
    """The document of a question whose options are columns; raises ``Malformed``."""
    names = [name for name in questions.columns(record) if record[name] is not None and record[name] != ""]
    given = [_option(record[name], f"/{name}") for name in names]
    answer = next((key for key in ("answer", "Answer", "label") if key in record), "answer")
    letters = questions.letters_of(record.get(answer), f"/{answer}", given)
    known = frozenset({"question", "Question", answer, "passage", *names, *ANALYSES, *shape.IDENTIFIER_KEYS})
    return _multiple_choice(record, piece, given, letters, shape.text(record, *ANALYSES), known)


def _option(value: object, pointer: str) -> str:
    """The text of an option: a number written out, and no word is taken for a missing one."""
    return str(value) if type(value) in {int, float} else text_field(value, pointer)


# Blocks of lines: the letter of the answer, the text of the question, its options


def fits_block(record: shape.Record) -> bool:
    """Whether the record is a block of lines that begins with a letter and ends with options."""
    lines = record.get("lines")
    return isinstance(lines, list) and all(isinstance(line, str) for line in lines) and _parts(lines) is not None


def block(record: shape.Record, piece: Piece) -> Document:
    """The document of a question that stands in a block of lines; raises ``Malformed``."""
    parts = _parts(_texts(record.get("lines"), "/lines"))
    if parts is None:
        raise Malformed("not_a_block", expected=BLOCK_LINES)
    answer, asked, given = parts
    letters = questions.letters_of(answer.strip(), "/lines/0", given)
    return shape.made(
        piece,
        questions.with_options("\n".join(questions.stem(line) for line in asked), given),
        questions.answer(letters),
        more_minor=questions.kind(letters),
    )


def _parts(lines: list[str]) -> tuple[str, list[str], list[str]] | None:
    """The letter of the answer, the lines of the question and the options; None when the block is built otherwise."""
    first = next((place for place in range(2, len(lines)) if questions.option_letter(lines[place]) == "A"), None)
    if first is None or not _LETTER.fullmatch(lines[0]) or len(lines) - first < LEAST_OPTIONS:
        return None
    given = questions.in_order(lines[first:])
    return (lines[0], lines[1:first], given) if given else None


PAPER = shape.Reader(name="exam", fits=fits_paper, document=paper)
COIG = shape.Reader(name="coig-exam", fits=fits_coig, document=coig)
OPTIONS = shape.Reader(name="options", fits=fits_options, document=options)
COLUMNS = shape.Reader(name="choices", fits=fits_columns, document=columns)
BLOCK = shape.Reader(name="blocks", fits=fits_block, document=block)
