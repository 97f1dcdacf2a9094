"""The page of a source's rules: what each finds before it runs, and which are switched on."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from review import switches
from review.models import Source, User
from review.refused import Refused
from review.text.rules import RULES, Kind, Texts
from review.text.rules.trial import AROUND, LONGEST, SAMPLES, changed_part, tried
from tests.factories import add_records, candidate, record
from tests.review.test_sources_pages import seen, signed_in

ADDRESS = "/review/sources/ruozhiba/rules/"
FLAGS = {rule.id for rule in RULES.values() if rule.kind == Kind.FLAG}


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def manager(gao: User) -> Client:
    return signed_in(gao)


def test_a_trial_counts_every_rule_and_shows_samples_of_those_asked_for() -> None:
    padded = [(number, Texts("问题？", "", f"第{number}行。 \n完。")) for number in range(30)]
    trials = tried([*padded, (99, Texts("问题？", "", "作为AI语言模型，我没有意见。"))], sampled=["trim_blanks"])
    assert trials.records == 31
    numbers = {trial.rule.id: trial.number for trial in trials.found}
    assert numbers == {"blank_edges": 30, "trim_blanks": 30, "model_voice": 1, "drop_model_voice": 1}
    assert trials.by_rule["model_voice"].samples == []
    samples = trials.by_rule["trim_blanks"].samples
    assert len(samples) == SAMPLES
    assert samples[0][:2] == (0, "output")
    assert (samples[0].before, samples[0].after) == ("第0行。 \n完。", "第0行。\n完。")


def test_the_samples_of_a_flag_show_the_place_with_a_little_around_it() -> None:
    texts = Texts("问题？", "", "前" * 100 + "请拨打13812345678。" + "后" * 100, minor=("问答", "问答"))
    trials = tried([(7, texts)], sampled=["phone_number", "repeated_label"])
    (sample,) = trials.by_rule["phone_number"].samples
    assert (sample.lead, sample.found, sample.tail) == ("前" * 27 + "请拨打", "13812345678", "。" + "后" * 29)
    assert trials.by_rule["repeated_label"].samples[0].found == "问答、问答"


def test_what_a_repair_changes_is_shown_cut_out_of_the_text() -> None:
    assert changed_part("甲" * 5000 + "\u200b" + "乙" * 5000, "甲" * 5000 + "乙" * 5000) == (
        "甲" * 30 + "\u200b" + "乙" * 30,
        "甲" * 30 + "乙" * 30,
    )
    assert changed_part("同", "同") == ("同", "同")


@pytest.mark.django_db
def test_the_page_counts_before_anything_runs(manager: Client, ruozhiba: Source) -> None:
    add_records("ruozhiba", [candidate(output="作为AI语言模型，我没有意见。"), candidate(), candidate(output="见下图")])
    page = manager.get(f"{ADDRESS}?rule=drop_model_voice")
    assert "1 of 3 records is concerned." in seen(page)
    assert "作为AI语言模型" in seen(page)
    assert page.context["groups"][0].rows[0].is_on
    assert not {row.rule.id for group in page.context["groups"] for row in group.rows if row.is_on} - FLAGS
    assert "as they stand" in seen(manager.get(ADDRESS))


@pytest.mark.django_db
def test_the_page_of_a_source_without_records_says_so(manager: Client, ruozhiba: Source) -> None:
    assert "no records yet" in seen(manager.get(ADDRESS))


@pytest.mark.django_db
def test_rules_are_switched_and_thresholds_set(manager: Client, ruozhiba: Source) -> None:
    on = [*(FLAGS - {"closing_formula"}), "trim_blanks"]
    answer = manager.post(ADDRESS, {"on": on, "votes": "100", "shortest": "280", "longest": "", "score": "7.5"})
    assert (answer.status_code, answer["Location"]) == (303, ADDRESS)
    ruozhiba.refresh_from_db()
    assert ruozhiba.rules == {"closing_formula": False, "trim_blanks": True}
    assert ruozhiba.thresholds == {"votes": 100, "shortest": 280, "score": 7.5}
    assert ruozhiba.active_rules == {"trim_blanks"}
    page = manager.get(ADDRESS)
    assert 'value="trim_blanks" checked' in page.content.decode()
    assert 'name="score" type="number" min="0" step="0.1" value="7.5"' in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"votes": "-1"}, "greater than or equal to 0"),
        ({"score": "11"}, "less than or equal to 10"),
        ({"votes": "many"}, "whole number"),
        ({"shortest": "500", "longest": "300"}, "above the longest"),
        ({"on": "no_such_rule"}, "no rule"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_sentence(
    manager: Client, ruozhiba: Source, said: dict[str, str], sentence: str
) -> None:
    answer = manager.post(ADDRESS, said)
    assert answer.status_code == 422
    assert sentence in seen(answer)
    ruozhiba.refresh_from_db()
    assert (ruozhiba.rules, ruozhiba.thresholds) == ({}, {})


@pytest.mark.django_db
def test_samples_are_looked_at_without_losing_what_was_typed(manager: Client, ruozhiba: Source) -> None:
    add_records("ruozhiba", [candidate(output="作为AI语言模型，我没有意见。"), candidate()])
    asks = f'name="rule" value="drop_model_voice" formaction="{ADDRESS}#samples"'
    assert asks in manager.get(ADDRESS).content.decode()
    typed = {"on": ["trim_blanks", "drop_model_voice"], "votes": "100", "shortest": "many"}
    answer = manager.post(ADDRESS, typed | {"rule": "drop_model_voice"})
    assert answer.status_code == 200
    assert "1 of 2 records is concerned." in seen(answer)
    on = {row.rule.id for group in answer.context["groups"] for row in group.rows if row.is_on}
    assert on == {"trim_blanks", "drop_model_voice"}
    page = answer.content.decode()
    assert 'name="votes" type="number" min="0" step="1" value="100"' in page
    assert 'name="shortest" type="number" min="0" step="1" value="many"' in page
    ruozhiba.refresh_from_db()
    assert (ruozhiba.rules, ruozhiba.thresholds) == ({}, {})
    with CaptureQueriesContext(connection) as captured:
        manager.post(ADDRESS, typed | {"rule": "drop_model_voice"})
    assert len(captured) <= 12


@pytest.mark.django_db
def test_samples_are_not_shown_to_whom_the_page_is_not(lin: User, gao: User, ruozhiba: Source) -> None:
    assert signed_in(lin).post(ADDRESS, {"rule": "trim_blanks"}).status_code == 403
    gao.sources.set(Source.objects.filter(slug="zhihu"))
    assert signed_in(gao).post(ADDRESS, {"rule": "trim_blanks"}).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(gao)
    assert strict.post(ADDRESS, {"rule": "trim_blanks"}).status_code == 403


@pytest.mark.django_db
def test_only_managers_of_the_source_set_its_rules(lin: User, gao: User, ruozhiba: Source) -> None:
    assert signed_in(lin).get(ADDRESS).status_code == 403
    gao.sources.set(Source.objects.filter(slug="zhihu"))
    assert signed_in(gao).get(ADDRESS).status_code == 404
    with pytest.raises(Refused):
        switches.switch_rules(ruozhiba, by=lin, switches={}, thresholds={})


@pytest.mark.django_db
def test_the_page_takes_as_many_queries_for_many_records_as_for_one(manager: Client, ruozhiba: Source) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(f"{ADDRESS}?rule=trim_blanks").status_code == 200
        return len(captured)

    record(output="第一行 \n完。")
    queries()  # the first request fetches what is cached from then on
    few = queries()
    add_records("ruozhiba", [candidate(output=f"第{number}行 \n完。") for number in range(40)])
    assert queries() == few <= 12


@pytest.mark.django_db
def test_the_page_of_the_source_tells_what_is_flagged(manager: Client, ruozhiba: Source) -> None:
    add_records("ruozhiba", [candidate(output="请拨打13812345678。"), candidate(output="请拨打13912345678。")])
    page = manager.get("/review/sources/ruozhiba/")
    assert [(rule.id, number) for rule, number in page.context["flags"]] == [("phone_number", 2)]
    assert "A telephone number. 2" in seen(page)


@pytest.mark.django_db
def test_the_reviewer_sees_which_repairs_a_record_went_through(lin: User, ruozhiba: Source) -> None:
    mended = candidate()._replace(repairs=("trim_blanks", "remove_invisible"))
    given = add_records("ruozhiba", [mended]).records.get()
    page = seen(signed_in(lin).get(f"/review/records/{given.pk}/"))
    assert f"Repaired on the way in {RULES['trim_blanks'].english} {RULES['remove_invisible'].english}" in page
    assert "Repaired on the way in" not in seen(signed_in(lin).get(f"/review/records/{record().pk}/"))


@pytest.mark.parametrize("lines", [5, 40, 4000])
def test_a_sample_shows_no_change_that_the_repair_does_not_make(lines: int) -> None:
    before = "\n".join(f"第{number}行，说的是第{number}件事。   " for number in range(lines))
    after = before.replace("   ", "")
    old, new = changed_part(before, after)
    assert old.replace(" ", "") == new
    assert new in after
    assert 0 < len(new) <= LONGEST + 2 * AROUND


def test_a_sample_of_texts_that_share_nothing_is_cut() -> None:
    assert changed_part("甲" * 1000, "乙" * 1000) == ("甲" * 300, "乙" * 300)
    assert changed_part("甲" * 1000, "") == ("甲" * 300, "")
