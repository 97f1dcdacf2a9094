"""Setting flags anew: by the rules as they are now, portion by portion, and nothing but flags."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from review import proof, reflagging, tasks
from review.models import Flag, Move, Record, Reflagging, Revision, Source, User
from review.refused import Refused
from tests.factories import add_records, approve, candidate, record
from tests.review.test_sources_pages import seen, signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/review/sources/ruozhiba/rules/reflag/"
CALL = "请拨打13812345678。"


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflagging, "PORTION", 2)


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


def silence(source: Source, *rules: str) -> None:
    source.rules = dict.fromkeys(rules, False)
    source.save(update_fields=["rules"])


def flagged() -> set[tuple[int, str]]:
    return set(Flag.objects.values_list("record_id", "rule"))


def done(source: Source, by: User) -> Reflagging:
    going = reflagging.start(source, by=by)
    reflagging.run(going.pk)
    going.refresh_from_db()
    return going


def test_switches_that_changed_are_applied_to_what_is_in(small_portions: None, gao: User, ruozhiba: Source) -> None:
    silence(ruozhiba, "phone_number")
    calling = [record(output=f"{CALL}第{number}次。") for number in range(3)]
    looking, elsewhere = record(output="见下图"), record("zhihu", output=CALL)
    silence(ruozhiba, "image_reference")
    assert flagged() == {
        (looking.pk, "image_reference"),
        (looking.pk, "unfinished_ending"),
        (elsewhere.pk, "phone_number"),
    }
    going = done(ruozhiba, gao)
    assert flagged() == {
        *((one.pk, "phone_number") for one in (*calling, elsewhere)),
        (looking.pk, "unfinished_ending"),
    }
    assert (going.number, going.read, going.changed, going.state) == (4, 4, 4, "done")
    assert (going.added, going.removed) == ({"phone_number": 3}, {"image_reference": 1})
    assert going.ended_at is not None


def test_a_place_that_moved_is_written_anew(gao: User, ruozhiba: Source) -> None:
    calling = record(output=CALL)
    Flag.objects.update(spans=[["output", 0, 3]])
    going = done(ruozhiba, gao)
    assert list(Flag.objects.values_list("record_id", "spans")) == [(calling.pk, [["output", 3, 14]])]
    assert (going.changed, going.added, going.removed) == (1, {}, {})


def test_what_is_verified_stays_verified(lin: User, gao: User, ruozhiba: Source) -> None:
    silence(ruozhiba, "phone_number")
    verified = record(output=CALL)
    approve(verified, lin)
    silence(ruozhiba)
    before = Record.objects.values().get(pk=verified.pk), Revision.objects.count(), Move.objects.count()
    done(ruozhiba, gao)
    assert (Record.objects.values().get(pk=verified.pk), Revision.objects.count(), Move.objects.count()) == before
    assert flagged() == {(verified.pk, "phone_number")}
    assert proof.prove().problems == 0


def test_what_was_interrupted_goes_on_where_it_stopped(small_portions: None, gao: User, ruozhiba: Source) -> None:
    for number in range(5):
        record(output=f"{CALL}第{number}次。")
    silence(ruozhiba, "phone_number")
    going = reflagging.start(ruozhiba, by=gao)
    reflagging._portion(going.pk)
    assert Flag.objects.count() == 3
    assert reflagging.unfinished() == [going.pk]
    tasks.sweep_bulk()
    going.refresh_from_db()
    assert (going.read, going.removed, going.state) == (5, {"phone_number": 5}, "done")
    assert not Flag.objects.exists()


def test_records_that_come_in_meanwhile_do_no_harm(small_portions: None, gao: User, ruozhiba: Source) -> None:
    record(output=CALL)
    going = reflagging.start(ruozhiba, by=gao)
    reflagging._portion(going.pk)
    late = record(output="见下图。")
    reflagging.run(going.pk)
    assert (late.pk, "image_reference") in flagged()


def test_a_source_is_gone_through_once_at_a_time(gao: User, lin: User, ruozhiba: Source) -> None:
    reflagging.start(ruozhiba, by=gao)
    with pytest.raises(Refused):
        reflagging.start(ruozhiba, by=gao)
    with pytest.raises(Refused):
        reflagging.start(ruozhiba, by=lin)


def test_a_portion_takes_as_many_queries_for_many_records_as_for_one(gao: User, ruozhiba: Source) -> None:
    def queries() -> int:
        going = reflagging.start(ruozhiba, by=gao)
        with CaptureQueriesContext(connection) as captured:
            reflagging._portion(going.pk)
        reflagging.run(going.pk)
        return len(captured)

    record(output=CALL)
    silence(ruozhiba, "phone_number")
    few = queries()
    add_records("ruozhiba", [candidate(output=f"{CALL}第{number}次。") for number in range(40)])
    Flag.objects.update(spans=[])
    assert queries() <= few <= 8


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What workers were told."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.set_flags_anew, "apply_async", lambda arguments, **_options: sent.extend(arguments))
    return sent


def test_a_manager_asks_for_it_on_the_page_and_sees_what_it_did(gao: User, ruozhiba: Source, told: list[int]) -> None:
    record(output=CALL)
    silence(ruozhiba, "phone_number")
    client = signed_in(gao)
    answer = client.post(ADDRESS)
    assert (answer.status_code, answer["Location"]) == (303, "/review/sources/ruozhiba/rules/#reflaggings")
    going = Reflagging.objects.get()
    assert (told, going.by) == ([going.pk], gao)
    assert "0 of 1" in seen(client.get("/review/sources/ruozhiba/rules/"))
    assert "being set anew already" in seen(client.post(ADDRESS))
    tasks.set_flags_anew(going.pk)
    page = seen(client.get("/review/sources/ruozhiba/rules/"))
    assert "1 of 1" in page
    assert "phone_number 1" in page


def test_only_managers_of_the_source_ask_for_it(lin: User, gao: User, ruozhiba: Source) -> None:
    assert signed_in(lin).post(ADDRESS).status_code == 403
    gao.sources.set(Source.objects.filter(slug="zhihu"))
    assert signed_in(gao).post(ADDRESS).status_code == 404
    assert Client().post(ADDRESS).status_code == 302


def test_the_command_goes_through_sources(ruozhiba: Source) -> None:
    record(output=CALL)
    record("zhihu", output=CALL)
    silence(ruozhiba, "phone_number")
    out = io.StringIO()
    call_command("reflag", "--json", stdout=out, stderr=io.StringIO())
    said = {one.pop("source"): one for one in json.loads(out.getvalue())["sources"]}
    assert said["ruozhiba"] == {"read": 1, "changed": 1, "added": {}, "removed": {"phone_number": 1}}
    assert said["zhihu"]["changed"] == 0
    with pytest.raises(CommandError) as error:
        call_command("reflag", "--source", "nowhere", stdout=out, stderr=out)
    assert error.value.returncode == 2
