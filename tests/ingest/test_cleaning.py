"""Repairs and drops at an import: what each did is counted, and what came in stays as it was."""

import json
from pathlib import Path

import pytest

from ingest.cleaning import cleaned
from ingest.document import Document, Dropped
from ingest.models import Job
from review.models import Original, Record, Source
from review.text.rules import RULES, Chosen, Kind
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import counts, fresh, imported

EVERY_REPAIR = {rule.id for rule in RULES.values() if rule.kind == Kind.REPAIR}
EVERY_DROP = {rule.id for rule in RULES.values() if rule.kind == Kind.DROP}
DAMAGED = record(1) | {"instruction": "\u3000求\u200b概率。", "output": "概率为 $\frac{1}{3}$。 \n完。"}


def document(**fields: str) -> Document:
    texts = {"instruction": "问题？", "input": "", "output": "回答。"} | fields
    return Document(7, 100, 200, b"as it stood", **texts)


def test_a_record_that_needs_nothing_is_given_back_as_it_is() -> None:
    given = document()
    assert cleaned(given, Chosen(EVERY_REPAIR | EVERY_DROP)) is given


def test_a_repaired_record_keeps_its_place_its_bytes_and_the_names_of_the_rules() -> None:
    given = document(output="好\u200b。 \n完。", metadata="编\u200b号")
    clean = cleaned(given, Chosen(EVERY_REPAIR))
    assert clean == given._replace(output="好。\n完。", repairs=("remove_invisible", "trim_blanks"))


def test_a_dropped_record_says_where_it_stood_and_why() -> None:
    given = document(output="作为AI语言模型，我没有意见。")
    assert cleaned(given, Chosen(EVERY_DROP)) == Dropped(7, 100, 200, b"as it stood", "drop_model_voice")


def test_what_a_repair_has_mended_is_not_dropped_for_it() -> None:
    given = document(output="第一行\ufffd")
    assert isinstance(cleaned(given, Chosen(EVERY_REPAIR | {"drop_lost_characters"})), Dropped)
    assert isinstance(cleaned(document(output="甲<br>乙"), Chosen({"remove_markup"})), Document)


@pytest.mark.django_db
@pytest.mark.core
def test_an_import_with_repairs_keeps_the_raw_line_and_notes_the_rules() -> None:
    job = imported(line(DAMAGED) + b"\n" + line(record(2)), rules=["restore_escapes", "plain_spaces", "trim_blanks"])
    assert counts(job) == {"read": 2, "new": 2}
    mended, clean = Record.objects.select_related("revision").order_by("pk")
    assert mended.revision.instruction == "求\u200b概率。"
    assert mended.revision.output == "概率为 $\\frac{1}{3}$。\n完。"
    assert [bytes(each.raw) for each in Original.objects.order_by("pk")] == [line(DAMAGED), line(record(2))]
    assert mended.originals.get().repairs == ["restore_escapes", "plain_spaces", "trim_blanks"]
    assert clean.originals.get().repairs == []
    assert job.tally()["repair"] == {"restore_escapes": 1, "plain_spaces": 1, "trim_blanks": 1}
    assert set(mended.flags.values_list("rule", flat=True)) == {"invisible_characters"}


@pytest.mark.django_db
def test_drops_are_counted_by_name_in_the_chunk_that_met_them() -> None:
    spoken = record(3) | {"output": "作为AI语言模型，我没有意见。"}
    job = imported(line(spoken) + b"\n" + line(record(2)) + b"\n" + line(spoken), rules=["drop_model_voice"])
    assert counts(job) == {"read": 3, "new": 1, "dropped": 2}
    assert job.dropped_because() == {"drop_model_voice": 2}
    assert fresh(job).chunks.get().dropped == 2


@pytest.mark.django_db
def test_what_the_source_switched_on_holds_for_its_imports_and_for_no_others() -> None:
    Source.objects.filter(slug="ruozhiba").update(rules={"trim_blanks": True, "plain_spaces": False})
    padded = record(4) | {"output": "先写上部。 \n再写\u3000下部。"}
    assert imported(line(padded)).tally()["repair"] == {"trim_blanks": 1}
    assert imported(line(padded | {"instruction": "另一问？"}), source="zhihu").tally() == {}


@pytest.mark.django_db
def test_with_repairs_off_every_text_comes_in_as_it_stood() -> None:
    job = imported(line(DAMAGED) + b"\n" + b"\n".join(good_lines(5)))
    assert job.tally() == {}
    first = Record.objects.select_related("revision").order_by("pk")[0]
    assert (first.revision.instruction, first.revision.output) == (DAMAGED["instruction"], DAMAGED["output"])
    assert Job.objects.get().rules == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["10why", "baobao", "ruozhiba"])
def test_with_repairs_off_a_published_file_comes_in_byte_for_byte(shared_data: Path, name: str) -> None:
    content = (shared_data / "finished" / f"{name}.jsonl").read_bytes()
    job = imported(content)
    assert job.tally() == {}
    given = [json.loads(each) for each in content.split(b"\n") if each]
    texts = Record.objects.order_by("pk").values_list("revision__instruction", "revision__input", "revision__output")
    assert list(texts) == [(each["instruction"], each["input"], each["output"]) for each in given]
    assert [bytes(raw) for raw in Original.objects.order_by("pk").values_list("raw", flat=True)] == [
        each for each in content.split(b"\n") if each
    ]
