"""Documents keep up with what they describe."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

NAME = re.compile(r'env\.\w+\(\s*"([A-Z_]+)"')
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
FAULTS, INPUTS = range(1, 35), range(1, 67)
"""The numbers of the faults and of the bad inputs that the system has to stand."""

DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def test_every_setting_is_explained() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "cqia_site").glob("*.py"))
    explained = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
    names = set(NAME.findall(code))
    assert len(names) > 20
    assert sorted(name for name in names if f"`{name}`" not in explained) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    linked = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in linked if not (document.parent / link).exists()] == []


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    for part in (r"^## ", r"^\| `", r"^```", r"^!\["):
        assert len(re.findall(part, english, re.MULTILINE)) == len(re.findall(part, chinese, re.MULTILINE)), part


def test_every_promise_names_tests_that_are_there() -> None:
    page = (REPOSITORY / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.split("\n") if re.match(r"\| P\d+ ", line)]
    assert [row[1].strip() for row in rows] == [f"P{number}" for number in range(1, 11)]
    tests = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)", tests))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[4])
        assert named, row[1]
        assert set(named) <= known, row[1]


@pytest.mark.parametrize(
    ("named", "wanted"), [(r"def test_((?:f\d+_)+)", FAULTS), (r"def test_(?:inputs?_)?((?:\d+_)+)", INPUTS)]
)
def test_every_fault_and_every_input_has_a_test_by_its_number(named: str, wanted: range) -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    found = {int(number) for names in re.findall(named, tests) for number in re.findall(r"\d+", names)}
    assert sorted(set(wanted) - found) == []
