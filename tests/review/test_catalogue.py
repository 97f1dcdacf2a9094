"""The source catalogue: complete, consistent, readable."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from review.models import Source
from review.text.rules import RULES, Kind
from tests.factories import record

CATALOGUE = Path(__file__).resolve().parents[2] / "review" / "catalogue.json"
METHODS = {"quality-filter", "templates", "rules", "open-data", "model-drafted", "human-check"}
CATEGORY_FIELDS = ["slug", "name_zh", "name_en", "position"]
SOURCE_TYPES = {
    "slug": str,
    "name_zh": str,
    "name_en": str,
    "category": str,
    "target": int,
    "method": list,
    "major": list,
    "minor": list,
    "domain": list,
    "labels_go_together": bool,
    "answer_from": str,
    "url": str,
    "silent": list,
}
CATEGORY_TARGETS = {
    "social-media": 14_175,
    "encyclopedia": 4_562,
    "exams": 2_897,
    "human-values": 1_007,
    "traditional-culture": 503,
    "finance": 11_289,
    "medicine": 8_537,
    "law": 2_645,
}

type Row = dict[str, Any]


@pytest.fixture(scope="module")
def catalogue() -> dict[str, list[Row]]:
    """Return the catalogue as parsed JSON."""
    parsed: dict[str, list[Row]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def categories(catalogue: dict[str, list[Row]]) -> list[Row]:
    """Return the categories in file order."""
    return catalogue["categories"]


@pytest.fixture(scope="module")
def sources(catalogue: dict[str, list[Row]]) -> list[Row]:
    """Return the sources in file order."""
    return catalogue["sources"]


def test_file_is_canonical_json(catalogue: dict[str, list[Row]]) -> None:
    """Indented, unescaped, LF: a diff of the file shows what changed and nothing else."""
    canonical = json.dumps(catalogue, ensure_ascii=False, indent=2) + "\n"
    assert CATALOGUE.read_bytes() == canonical.encode()


def test_eight_categories_are_numbered_in_order(categories: list[Row]) -> None:
    """Positions run from 1 to 8 and every category has the same fields."""
    assert [row["position"] for row in categories] == list(range(1, 9))
    assert all(list(row) == CATEGORY_FIELDS for row in categories)


def test_twenty_two_sources_have_constant_types(sources: list[Row]) -> None:
    """Every source has the same fields, in the same order, of the same types."""
    assert len(sources) == 22
    expected = list(SOURCE_TYPES.items())
    assert [[(field, type(value)) for field, value in row.items()] for row in sources] == [expected] * 22


def test_slugs_and_names_are_unique(categories: list[Row], sources: list[Row]) -> None:
    """No slug and no name occurs twice among categories or among sources, and none is empty."""
    for rows in (categories, sources):
        for field in ("slug", "name_zh", "name_en"):
            values = [row[field] for row in rows]
            assert all(values)
            assert len(set(values)) == len(values)


def test_every_source_belongs_to_a_category(categories: list[Row], sources: list[Row]) -> None:
    """References hold and no category is left without a source."""
    assert {row["category"] for row in sources} == {row["slug"] for row in categories}


def test_targets_sum_by_category(sources: list[Row]) -> None:
    """The targets add up per category and over all sources."""
    sums = dict.fromkeys(CATEGORY_TARGETS, 0)
    for row in sources:
        sums[row["category"]] += row["target"]
    assert sums == CATEGORY_TARGETS
    assert sum(row["target"] for row in sources) == 45_615


def test_later_release_adds_ruozhiba_to_social_media(sources: list[Row]) -> None:
    """The last source came later; without it the targets sum to 45,375."""
    assert (sources[-1]["slug"], sources[-1]["category"], sources[-1]["target"]) == ("ruozhiba", "social-media", 240)
    assert sum(row["target"] for row in sources[:-1]) == 45_375


def test_methods_come_from_the_vocabulary(sources: list[Row]) -> None:
    """Each source names at least one method, none twice, and every method is in use."""
    assert all(row["method"] and len(set(row["method"])) == len(row["method"]) for row in sources)
    assert {method for row in sources for method in row["method"]} == METHODS


def test_labels_are_controlled(sources: list[Row]) -> None:
    """Labels are there, unrepeated, without blanks around them, and no main type is a source's name."""
    names = {row["name_zh"] for row in sources}
    for row in sources:
        assert row["major"]
        assert row["domain"]
        assert names.isdisjoint(row["major"])
        for field in ("major", "minor", "domain"):
            assert len(set(row[field])) == len(row[field])
            assert all(label and label == label.strip() for label in row[field])


def test_answer_from_and_url_are_valid_or_empty(sources: list[Row]) -> None:
    """Unknown facts are empty strings, never invented ones."""
    assert {row["answer_from"] for row in sources} <= {"human", "llm", "expert", ""}
    assert all(row["url"] == "" or row["url"].startswith("https://") for row in sources)


def test_what_is_no_defect_in_a_source_is_silent_there(sources: list[Row]) -> None:
    """Rules are named that exist and that only point out; old texts may be in traditional characters, code in HTML."""
    silent = {source["slug"]: set(source["silent"]) for source in sources if source["silent"]}
    assert silent == {
        "segmentfault": {"markup_leftovers", "unfilled_slot", "web_address"},
        "poem": {"traditional_characters"},
        "classical-translation": {"traditional_characters"},
    }
    assert all(RULES[rule].kind == Kind.FLAG for rules in silent.values() for rule in rules)


@pytest.mark.django_db
def test_silent_rules_are_switched_off_when_the_catalogue_is_loaded() -> None:
    poem = Source.objects.get(slug="poem")
    assert poem.rules == {"traditional_characters": False}
    written = record("poem", output="床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。")
    assert "traditional_characters" not in set(written.flags.values_list("rule", flat=True))
    elsewhere = record("zhihu", output="疑是地上霜。舉頭望明月，低頭思故鄉，這是一個問題。")
    assert "traditional_characters" in set(elsewhere.flags.values_list("rule", flat=True))


PUBLISHED = {
    "translate_classical": "classical-translation",
    "bkmy_symptom": "medical-encyclopedia",
    "ruozhiba": "ruozhiba",
    "10why": "encyclopedia-articles",
    "baobao": "encyclopedia-articles",
}
"""Published files of sources with several labels of a kind."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_labels_go_together_where_published_records_bear_them_all(
    name: str, shared_data: Path, sources: list[Row]
) -> None:
    source = next(row for row in sources if row["slug"] == PUBLISHED[name])
    lines = (shared_data / "finished" / f"{name}.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    rows = [json.loads(line)["task_type"] | {"domain": json.loads(line)["domain"]} for line in lines]
    bear_all = all(set(source[kind]) <= set(row[kind]) for row in rows for kind in ("major", "minor", "domain"))
    assert source["labels_go_together"] == bear_all


@pytest.mark.django_db
def test_sources_that_were_there_before_get_their_labels_together_unless_a_manager_changed_them() -> None:
    Source.objects.update(labels_go_together=False)
    Source.objects.filter(slug="poem").update(domain=["古诗词", "语文"])
    migration = import_module("review.migrations.0026_sources_whose_labels_go_together")
    migration._set(apps, SimpleNamespace(connection=connection))
    together = set(Source.objects.filter(labels_go_together=True).values_list("slug", flat=True))
    assert together == {"chengyu", "classical-translation", "medical-encyclopedia", "ruozhiba"}
