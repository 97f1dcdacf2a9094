"""The project's own sample candidates: well-formed, licensed, and defective exactly where stated."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "ingest" / "samples"
README = SAMPLES / "README.md"
COPYRIGHT = "CQIA 项目自撰示例\N{FULLWIDTH COMMA}CC0-1.0"
MAX_CHARACTERS = 25_000
FIELD_TYPES = {
    "instruction": str,
    "input": str,
    "output": str,
    "task_type": dict,
    "domain": list,
    "metadata": str,
    "answer_from": str,
    "human_verified": bool,
    "copyright": str,
}
ROW = re.compile(r"^\| (?P<file>[\w-]+\.jsonl) \| (?P<line>\d+) \| (?P<code>[a-z-]+) \| .+ · .+ \|$", re.MULTILINE)
TRADITIONAL = re.compile("[續寫絕後兩個黃鳴門東萬請這們國學會來時說為對開]")

type Place = tuple[str, int]


@dataclass(frozen=True)
class Sample:
    """One line of a sample file, with its place (lines count from 1)."""

    file: str
    line: int
    raw: str
    repeats: bool

    @property
    def place(self) -> Place:
        """Return file name and line number."""
        return self.file, self.line

    @property
    def record(self) -> dict[str, Any]:
        """Return the parsed line."""
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def text(self) -> str:
        """Return instruction, input and output, one after the other."""
        return "\n".join((self.record["instruction"], self.record["input"], self.record["output"]))


def duplicate_key(record: dict[str, Any]) -> str:
    """Return the text that makes two records the same: NFC, without white space."""
    parts = ("".join(record[field].split()) for field in ("instruction", "input", "output"))
    return unicodedata.normalize("NFC", "\0".join(parts))


def read_samples() -> Iterator[Sample]:
    """Yield every line of every sample file, marking those whose text came before."""
    seen: set[str] = set()
    for path in sorted(SAMPLES.glob("*.jsonl")):
        for number, raw in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
            key = duplicate_key(json.loads(raw))
            yield Sample(path.name, number, raw, repeats=key in seen)
            seen.add(key)


@cache
def samples() -> tuple[Sample, ...]:
    """Return all samples."""
    return tuple(read_samples())


@cache
def stated_defects() -> dict[Place, str]:
    """Return the defect codes of the README's table by place."""
    table = README.read_text(encoding="utf-8")
    return {(row["file"], int(row["line"])): row["code"] for row in ROW.finditer(table)}


def found(pattern: str) -> Callable[[Sample], bool]:
    """Return a check that the text of a sample matches the pattern somewhere."""
    compiled = re.compile(pattern)
    return lambda sample: compiled.search(sample.text) is not None


DETECTORS: dict[str, Callable[[Sample], bool]] = {
    "promotion": found("公众号"),
    "label": lambda sample: "书" in sample.record["domain"],
    "doubled-title-marks": found("《《.+》》"),
    "invisible": found(r"[\u200b-\u200f\u2060\ufeff\u00a0\u3000]|[ \t]+(\n|$)"),
    "personal-data": found(r"(?<!\d)1[3-9]\d{9}(?!\d)|\w@\w"),
    "markup": found("<BR>|&nbsp;|锟斤拷|\ufffd"),
    "empty-output": lambda sample: not sample.record["output"],
    "latex-escape": found(r"[\x00-\x08\x09\x0b-\x1f\x7f]"),
    "question-number": lambda sample: re.match(r"【\d+】|\d+[.、]", sample.record["instruction"]) is not None,
    "stem-lost": lambda sample: re.match(r"\s*A\. ", sample.record["instruction"]) is not None,
    "model-voice": found("作为AI语言模型|总之"),
    "instruction-is-output": lambda sample: sample.record["instruction"] == sample.record["output"],
    "claimed-verified": lambda sample: sample.record["human_verified"],
    "traditional-script": lambda sample: TRADITIONAL.search(sample.text) is not None,
    "answer-from-empty": lambda sample: not sample.record["answer_from"],
    "unfinished": lambda sample: sample.record["output"].endswith("\N{FULLWIDTH COLON}"),
    "duplicate": lambda sample: sample.repeats,
}
FOR_A_PERSON = {"wrong-answer"}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_file_is_lf_terminated_utf8(path: Path) -> None:
    """No BOM, no CR, a newline at the end, no empty line."""
    data = path.read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert data.endswith(b"}\n")
    assert b"\n\n" not in data


def test_lines_hold_nine_fields_in_order_and_round_trip() -> None:
    """Writing the parsed line again gives the same line."""
    for sample in samples():
        assert [(name, type(value)) for name, value in sample.record.items()] == list(FIELD_TYPES.items()), sample.place
        assert list(sample.record["task_type"]) == ["major", "minor"], sample.place
        assert json.dumps(sample.record, ensure_ascii=False) == sample.raw, sample.place


def test_records_stay_below_the_longest_supported_length() -> None:
    """Long answers are among the samples, but none beyond what the pages are planned for."""
    lengths = [len(sample.raw) for sample in samples()]
    assert max(lengths) <= MAX_CHARACTERS
    assert max(len(sample.record["output"]) for sample in samples()) > 2_500


def test_records_are_labelled_and_licensed() -> None:
    """Instruction, labels, metadata and the licence are there in every record."""
    for sample in samples():
        record = sample.record
        slug = sample.file.removesuffix(".jsonl")
        assert record["instruction"].strip(), sample.place
        assert all((record["domain"], record["task_type"]["major"], record["task_type"]["minor"])), sample.place
        assert re.fullmatch(rf"sample:{slug}-\d{{3}}", record["metadata"]), sample.place
        assert record["copyright"] == COPYRIGHT, sample.place
        assert record["answer_from"] in {"human", "llm", "expert", ""}, sample.place


def test_files_are_named_after_sources_of_every_category() -> None:
    """Each file belongs to a source of the catalogue and all eight categories are covered."""
    catalogue = json.loads((ROOT / "review" / "catalogue.json").read_text(encoding="utf-8"))
    category_of = {row["slug"]: row["category"] for row in catalogue["sources"]}
    slugs = {sample.file.removesuffix(".jsonl") for sample in samples()}
    assert slugs <= category_of.keys()
    assert {category_of[slug] for slug in slugs} == {row["slug"] for row in catalogue["categories"]}


def test_readme_states_licence_and_counts() -> None:
    """The README names the licence in both languages and counts what is there."""
    text = README.read_text(encoding="utf-8")
    defective = len(stated_defects())
    assert "## 许可 · Licence" in text
    assert "public domain under" in text
    assert COPYRIGHT in text
    assert f"{len(samples())} 条候选记录" in text
    assert f"These {len(samples())} candidate records" in text
    assert f"下列 {defective} 条" in text
    assert f"The following {defective} records" in text
    assert f"the other {len(samples()) - defective} carry none" in text


def test_readme_table_is_read_whole_and_names_existing_lines() -> None:
    """Every row of the table is understood and points to a line that exists."""
    rows = [line for line in README.read_text(encoding="utf-8").split("\n") if ".jsonl |" in line]
    assert len(rows) == len(stated_defects())
    assert stated_defects().keys() <= {sample.place for sample in samples()}


def test_readme_codes_cover_every_defect() -> None:
    """Each kind of defect has a sample and each code in the table is known."""
    assert set(stated_defects().values()) == DETECTORS.keys() | FOR_A_PERSON


@pytest.mark.parametrize("code", DETECTORS)
def test_defect_stands_where_stated_and_nowhere_else(code: str) -> None:
    """The records that show a defect are exactly those listed with it."""
    shown = {sample.place for sample in samples() if DETECTORS[code](sample)}
    assert shown == {place for place, stated in stated_defects().items() if stated == code}


def test_stated_duplicate_repeats_the_line_byte_for_byte() -> None:
    """The duplicate has the very bytes of an earlier line of its own file."""
    (repeated,) = (sample for sample in samples() if sample.repeats)
    assert repeated.raw in [s.raw for s in samples() if s.file == repeated.file and s.line < repeated.line]


def test_stated_wrong_answer_belongs_to_another_riddle() -> None:
    """The riddle whose solution is water is answered with a shadow."""
    (place,) = (place for place, code in stated_defects().items() if code == "wrong-answer")
    (sample,) = (sample for sample in samples() if sample.place == place)
    assert "越洗越脏" in sample.record["instruction"]
    assert "影子" in sample.record["output"]
    assert "水" not in sample.record["output"]
