"""The data card says what is true, in a form that the field's tools can read."""

from pathlib import Path

import pytest

from exports import card
from exports.card import _cell, table
from review.models import Category, Source
from tests.exports.conftest import Approved, built

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def card_of(release_root: Path, slug: str = "research") -> str:
    return (release_root / str(built(slug=slug).name) / "README.md").read_text()


def front_matter(text: str) -> str:
    return text.split("---\n")[1]


def test_configurations_are_the_sources_and_all_of_them(approved: Approved, release_root: Path) -> None:
    approved(1)
    approved(1, source="100poison")
    matter = front_matter(card_of(release_root))
    names = [line.partition(": ")[2] for line in matter.splitlines() if line.startswith("- config_name")]
    assert names == ['"all"', '"100poison"', '"ruozhiba"'] * 2
    assert matter.count("default: true") == 1
    assert matter.index("default: true") < matter.index('config_name: "100poison"')
    assert [line.strip() for line in matter.splitlines() if "data/" in line] == [
        *('- "data/100poison.jsonl"', '- "data/ruozhiba.jsonl"'),
        *('- "data/100poison.jsonl"', '- "data/ruozhiba.jsonl"'),
    ]


def test_features_are_stated_for_every_configuration(approved: Approved, release_root: Path) -> None:
    """A file whose lists are all empty cannot tell a loader what they would hold."""
    approved(1)
    matter = front_matter(card_of(release_root))
    assert matter.count("  - name: human_verified\n    dtype: bool\n") == 2
    assert matter.count("sequence: string") == 3 * 2


def test_every_figure_is_counted(approved: Approved, release_root: Path) -> None:
    approved(3)
    approved(2, source="mba", licence="MIT")
    approved(4, licence="fair-use")
    text = card_of(release_root)
    assert "共 5 条" in text
    assert "| `mba` | 2 | human 2 | 0 |" in text
    assert "| `ruozhiba` | 3 |" in text
    assert "| `all` | 5 |" in text
    assert "| CC-BY-4.0 | 3 |\n| MIT | 2 |" in text
    assert "| 许可不在本策略之内 Licence outside this policy | 4 |" in text
    assert "1 people decided" in text
    assert front_matter(text).count("- cc-by-4.0\n- mit\n") == 1


@pytest.mark.parametrize(
    ("records", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M")]
)
def test_size_category(records: int, size: str) -> None:
    assert card._size(records) == size


def test_internal_release_says_so_loudly(approved: Approved, release_root: Path) -> None:
    approved(1, licence=None)
    text = card_of(release_root, "internal")
    assert "# cqia-v1-internal\n\n> **⚠ 仅供内部训练使用，不得发布。" in text
    assert "tags:\n- internal-only\n" in front_matter(text)
    assert "internal" not in card_of_published(approved, release_root)


def card_of_published(approved: Approved, release_root: Path) -> str:
    approved(1)
    return (release_root / str(built("v2").name) / "README.md").read_text().replace("cqia-v2", "")


def test_names_cannot_break_the_tables(approved: Approved, release_root: Path) -> None:
    Category.objects.update(name_zh="甲|乙\n丙<script>")
    Source.objects.filter(slug="ruozhiba").update(name_en="A & B | C")
    approved(1)
    text = card_of(release_root)
    assert "甲\\|乙 丙&lt;script>" in text
    assert "A &amp; B \\| C" in text
    assert "<script>" not in text


def testtable() -> None:
    assert table(("来源", "条数 Records"), [("a", 1)]) == "| 来源 | 条数 Records |\n| --- | --: |\n| a | 1 |\n"
    assert _cell(" a\n b ") == "a b"
