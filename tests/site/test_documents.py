"""Documents keep up with what they describe."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

NAME = re.compile(r'env\.\w+\(\s*"([A-Z_]+)"')
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

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


@pytest.mark.parametrize(
    ("document", "label", "numbers", "by_number"),
    [
        ("promises.md", "P", range(1, 11), None),
        ("faults.md", "F", range(1, 35), r"test_((?:f\d+_)+)"),
        ("attacks.md", "", range(1, 67), r"test_(?:inputs?_)?((?:\d+_)+)"),
    ],
    ids=["promises", "faults", "attacks"],
)
def test_every_promise_fault_and_attack_names_tests_that_are_there(
    document: str, label: str, numbers: range, by_number: str | None
) -> None:
    page = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.split("\n") if re.match(rf"\| {label}\d+ ", line)]
    assert [row[1].strip() for row in rows] == [f"{label}{number}" for number in numbers]
    known = _tests()
    for number, row in zip(numbers, rows, strict=True):
        named = set(re.findall(r"`(test_\w+)`", row[4]))
        assert named, row[1]
        assert named <= known, row[1]
        if by_number:
            assert named == {name for name in known if number in _numbers_of(name, by_number)}, row[1]


def _tests() -> set[str]:
    code = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    return set(re.findall(r"def (test_\w+)", code))


def _numbers_of(name: str, by_number: str) -> list[int]:
    found = re.match(by_number, name)
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else []
