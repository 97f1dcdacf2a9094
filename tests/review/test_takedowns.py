"""Takedowns: what is found, what is gone after confirming, what comes back, and what never does."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import translation

from review import claims, duplicates, intake, rights, search, takedowns
from review.models import Batch, Claim, Record, Source, State, Takedown, TakedownMatch, User
from review.refused import Refused
from review.tracing import Asked, find
from tests.factories import add_records, approve, candidate, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]
POEM = "山间的雾气漫过石阶，采药人的竹篓里装着一整个春天。"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def asked_for(*records: Record, **asked: Any) -> Takedown:
    chosen = Asked(records=tuple(found.pk for found in records), **asked)
    return takedowns.request(by=None, requester="权利人", ground="著作权", asked=chosen)


def taken_down(*records: Record) -> Takedown:
    takedown = asked_for(*records)
    takedowns.confirm(takedown, by=None)
    return takedown


def indexed(number: int) -> None:
    """Let the passes behind intake read everything, into runs of this many records at least."""
    with patch.object(search, "ENOUGH", number):
        while search.index_next() or duplicates.find_next():
            pass


@pytest.fixture(params=[pytest.param(None, id="fresh"), pytest.param(9_999, id="read"), pytest.param(1, id="indexed")])
def read(request: pytest.FixtureRequest) -> Callable[[], None]:
    """What the passes have done when a request comes in: nothing yet, read few records, or made an index."""
    return lambda: None if request.param is None else indexed(request.param)


class TestFinding:
    def test_by_passage(self, read: Callable[[], None]) -> None:
        given, _other = record(output=f"前文。{POEM}后文。"), record()
        read()
        assert find(Asked(passages=(POEM,))) == {given.pk: 1.0}

    def test_by_a_passage_with_other_white_space_and_case(self, read: Callable[[], None]) -> None:
        given, _other = record(output="前文。Ein Lied。\n\n山间的雾气漫过石阶。后文。"), record()
        read()
        assert find(Asked(passages=("ein lied。\t山间的雾气漫过石阶。后",))) == {given.pk: 1.0}

    def test_by_a_passage_that_stands_far_down(self, read: Callable[[], None]) -> None:
        given, _other = record(output="一段很长的话。" * 400 + POEM), record(output="一段很长的话。" * 400)
        read()
        assert find(Asked(passages=(POEM,))) == {given.pk: 1.0}

    def test_by_a_passage_of_an_earlier_wording(self, lin: User, read: Callable[[], None]) -> None:
        given = record(output=f"前文。{POEM}后文。")
        approve(given, lin, output="改过的回答，与原来的不同。")
        read()
        assert find(Asked(passages=(POEM,))) == {given.pk: 1.0}

    def test_by_a_passage_that_no_index_knows_of(self, read: Callable[[], None]) -> None:
        given, _other = record(output="甲、乙、丙、丁、戊"), record()
        read()
        assert find(Asked(passages=("乙、丙、丁",))) == {given.pk: 1.0}

    def test_by_a_text_that_is_nearly_the_same(self) -> None:
        text = "".join(f"第{number}句：山间的雾气漫过石阶，采药人走得很慢。" for number in range(40))
        given, _other = record(output=text), record()
        while duplicates.find_next():
            pass
        found = find(Asked(passages=(text.replace("第7句", "第七句"),)))
        assert set(found) == {given.pk}
        assert 0.9 <= found[given.pk] < 1

    def test_by_address_in_the_original_and_in_the_rights(self, read: Callable[[], None]) -> None:
        named = candidate(external_id="a1")
        raw = json.dumps({"instruction": "问", "url": "https://www.zhihu.com/question/19551"}).replace("/", r"\/")
        add_records("zhihu", [named._replace(raw=raw.encode())])
        decided = record()
        rights.decide_rights(decided, by=None, licence="MIT", source_address="https://www.zhihu.com/question/19551")
        read()
        found = find(Asked(addresses=("zhihu.com/question/19551",)))
        assert set(found) == {Record.objects.get(external_id="a1").pk, decided.pk}

    def test_by_author_in_metadata_claim_and_rights(self, read: Callable[[], None]) -> None:
        stated = record(metadata="作者：梅雨潭，2019")
        claimed = record(claimed_copyright="作者：梅雨潭 著作权归作者所有")
        whole = add_records("ruozhiba", [candidate()], licence="CC-BY-4.0", holder="梅雨潭")
        record(metadata="作者：别人")
        expected = {stated.pk, claimed.pk, Record.objects.get(batch=whole).pk}
        read()
        assert set(find(Asked(authors=("梅雨潭",)))) == expected

    def test_what_a_reader_left_of_a_page_is_found_by_its_address(self, read: Callable[[], None]) -> None:
        named = candidate(external_id="a2")
        page = f'<p>{named.output}</p><a href="https://Blog.example/p/7">{"原文" * 200}</a>'
        add_records("zhihu", [named._replace(raw=json.dumps({"content": page, "author": {"name": "梅雨潭"}}).encode())])
        read()
        expected = {Record.objects.get(external_id="a2").pk}
        assert set(find(Asked(addresses=("https://Blog.example/p/7",)))) == expected

    def test_an_address_and_an_author_in_the_text_itself(self, read: Callable[[], None]) -> None:
        given, _other = record(output="转自 https://blog.example/p/8 ，作者梅雨潭。"), record()
        read()
        assert set(find(Asked(addresses=("blog.example/p/8",)))) == {given.pk}
        assert set(find(Asked(authors=("梅雨潭",)))) == {given.pk}

    def test_by_external_id_in_any_source(self) -> None:
        given = record("zhihu", external_id="ans-7")
        assert find(Asked(external_ids=("ans-7",))) == {given.pk: 1.0}

    def test_by_a_list_of_everything(self) -> None:
        by_number, by_key, by_text, by_id = record(), record(), record(), record(external_id="x-1")
        texts = {"instruction": by_text.revision.instruction, "input": "", "output": by_text.revision.output}
        lines = [f"#{by_number.pk}", bytes(by_key.key).hex(), json.dumps(texts, ensure_ascii=False), "x-1", ""]
        asked = Asked().with_list("\n".join(lines))
        assert set(find(asked)) == {by_number.pk, by_key.pk, by_text.pk, by_id.pk}

    @pytest.mark.parametrize(
        "asked", [Asked(passages=("的",)), Asked(authors=("王",)), Asked(addresses=("/",)), Asked(keys=("xy",))]
    )
    def test_what_would_fit_everything_is_refused(self, asked: Asked) -> None:
        with pytest.raises(Refused):
            find(asked)

    @pytest.mark.parametrize("line", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', "{", '{"a":' * 99])
    def test_a_damaged_list_is_refused(self, line: str) -> None:
        with pytest.raises(Refused):
            Asked().with_list(line)


class TestConfirming:
    def test_the_record_leaves_the_queue_and_its_claim_ends(self, lin: User) -> None:
        given, other = record(), record()
        claims.claim_record(by=lin, record=given)
        takedown = taken_down(given)
        assert not Claim.objects.filter(record=given).exists()
        assert Record.objects.get(pk=given.pk).takedown == takedown
        claim = claims.claim_next(by=lin)
        assert claim is not None
        assert claim.record_id == other.pk

    def test_it_is_not_releasable(self, lin: User) -> None:
        given = record()
        rights.decide_rights(given, by=None, licence="CC0-1.0")
        approve(given, lin)
        taken_down(given)
        assert not Record.objects.releasable({"CC0-1.0"}).exists()

    def test_what_was_left_out_stays(self) -> None:
        kept, gone = record(), record()
        takedown = asked_for(kept, gone)
        chosen = takedown.matches.get(record=gone).pk
        assert takedowns.choose(takedown, by=None, included=[chosen]) == 1
        assert takedowns.confirm(takedown, by=None) == 1
        assert set(Record.objects.live()) == {kept}

    def test_nothing_included_is_refused(self) -> None:
        takedown = asked_for(record())
        takedowns.choose(takedown, by=None, included=[])
        with pytest.raises(Refused, match="Nothing is included"):
            takedowns.confirm(takedown, by=None)

    def test_importing_again_is_refused_and_counted_with_the_number(self, lin: User) -> None:
        line = candidate()
        batch = add_records("ruozhiba", [line])
        given = Record.objects.get(batch=batch)
        approve(given, lin, output="改过的回答，与原来的不同。")
        takedown = taken_down(given)
        again = Batch.objects.create(source=Source.objects.get(slug="zhihu"), name="again")
        edited = candidate(instruction=line.instruction, output="改过的回答，与原来的不同。")
        counted = intake.add_records([line, edited], batch=again)
        assert counted.dropped == {f"takedown {takedown.pk}": 2}
        assert counted.new == 0

    def test_no_page_about_the_record_shows_its_text(self, lin: User, zhou: User, client: Client) -> None:
        given = record(output=POEM)
        approve(given, lin)
        taken_down(given)
        client.force_login(zhou)
        for page in ("", "history/", "near/", "comments/", "rights/"):
            answer = client.get(f"/review/records/{given.pk}/{page}")
            assert answer.status_code in {200, 404}
            assert POEM not in answer.content.decode()
        for page in ("revision", "record", "decision"):
            assert POEM not in client.get(f"/admin/review/{page}/").content.decode()
        assert client.get(f"/admin/review/revision/{given.revision_id}/change/").status_code in {302, 404}

    def test_a_second_time_is_refused(self) -> None:
        takedown = taken_down(record())
        with pytest.raises(Refused, match="can no longer be done"):
            takedowns.confirm(takedown, by=None)

    def test_a_reviewer_may_not(self, lin: User) -> None:
        with pytest.raises(Refused):
            takedowns.request(by=lin, requester="我", ground="无", asked=Asked(records=(1,)))

    def test_every_step_is_written_down(self, gao: User) -> None:
        takedown = asked_for(record())
        takedowns.confirm(takedown, by=gao)
        takedowns.reverse(takedown, by=gao, note="误报")
        assert [(step.state, step.by, step.matches) for step in takedown.steps.order_by("pk")] == [
            ("requested", None, 1),
            ("confirmed", gao, 1),
            ("reversed", gao, 1),
        ]


class TestReversing:
    def test_the_record_comes_back_as_it_was(self, lin: User) -> None:
        given = record()
        rights.decide_rights(given, by=None, licence="CC0-1.0")
        approve(given, lin)
        takedown = taken_down(given)
        assert takedowns.reverse(takedown, by=None) == 1
        back = Record.objects.releasable({"CC0-1.0"}).get()
        assert (back.pk, back.state, back.human_verified) == (given.pk, State.APPROVED, True)

    def test_importing_is_allowed_again(self) -> None:
        line = candidate()
        add_records("ruozhiba", [line])
        takedowns.reverse(taken_down(Record.objects.get()), by=None)
        again = Batch.objects.create(source=Source.objects.get(slug="ruozhiba"), name="again")
        assert intake.add_records([line], batch=again).unchanged == 1


def test_the_database_refuses_other_moves_of_a_takedown() -> None:
    takedown = asked_for(record())
    takedowns.reverse(takedown, by=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        Takedown.objects.filter(pk=takedown.pk).update(state="confirmed")
    with pytest.raises(DatabaseError), transaction.atomic():
        TakedownMatch.objects.all().delete()
        takedown.delete()


def run(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("takedown", *words, "--json", stdout=out, stderr=StringIO())
    said: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return said


def test_the_command_from_the_request_to_the_end(tmp_path: Path) -> None:
    kept, gone = record(output=POEM + "一"), record(output=POEM + "二")
    said = run("add", "--who", "权利人", "--ground", "著作权", "--passage", POEM, "--reference", "函〔2026〕7号")
    number = str(said["takedown"])
    assert {found["record"] for found in said["found"]} == {kept.pk, gone.pk}
    said = run("confirm", number, "--without", str(kept.pk))
    assert (said["state"], said["records"]) == ("confirmed", 1)
    exported = tmp_path / "list.jsonl"
    assert run("export", "--out", str(exported))["exported"] == 1
    assert POEM not in exported.read_text(encoding="utf-8")
    assert run("reverse", number)["state"] == "reversed"
    said = run("import", str(exported), "--who", "另一个数据集", "--ground", "转来", "--confirm")
    assert (said["records"], said["found"][0]["record"]) == (1, gone.pk)
    assert run("erase", str(said["takedown"]))["state"] == "erased"
    assert [one["state"] for one in run("list")["takedowns"]] == ["reversed", "erased"]


class TestOfAManagerOfSomeSources:
    """What concerns other sources as well is for a manager of all of them."""

    @pytest.fixture
    def limited(self, client: Client, gao: User, ruozhiba: Source) -> Client:
        gao.sources.set([ruozhiba])
        client.force_login(gao)
        return client

    def test_what_concerns_none_of_theirs_does_not_exist_for_them(self, limited: Client) -> None:
        elsewhere = asked_for(record("zhihu"))
        assert f"/review/takedowns/{elsewhere.pk}/" not in limited.get("/review/takedowns/").content.decode()
        for address in ("", "receipt/"):
            assert limited.get(f"/review/takedowns/{elsewhere.pk}/{address}").status_code == 404
        for verb in ("choose", "confirm", "reverse", "erase"):
            assert limited.post(f"/review/takedowns/{elsewhere.pk}/{verb}/").status_code == 404

    def test_what_is_theirs_alone_they_confirm(self, limited: Client) -> None:
        own = asked_for(record("ruozhiba"))
        assert limited.post(f"/review/takedowns/{own.pk}/confirm/").status_code == 303
        assert limited.get(f"/review/takedowns/{own.pk}/receipt/").status_code == 200

    def test_of_what_is_theirs_in_part_they_see_that_part(self, limited: Client, gao: User) -> None:
        own, other = record("ruozhiba", output=POEM + "一"), record("zhihu", output=POEM + "二")
        both = asked_for(own, other)
        page = limited.get(f"/review/takedowns/{both.pk}/").content.decode()
        assert POEM + "一" in page
        assert POEM + "二" not in page
        assert f"#{other.pk}" not in page
        for verb in ("confirm", "reverse"):
            assert limited.post(f"/review/takedowns/{both.pk}/{verb}/").status_code == 403
        assert takedowns.choose(both, by=gao, included=[]) == 1
        assert both.matches.get(is_included=True).record == other
        takedowns.confirm(both, by=None)
        assert limited.post(f"/review/takedowns/{both.pk}/erase/", {"number": both.pk}).status_code == 403
        assert limited.get(f"/review/takedowns/{both.pk}/receipt/").status_code == 404
        assert bytes(other.key).hex() not in limited.get("/review/takedowns/export/").content.decode()


class TestPages:
    @pytest.fixture
    def manager(self, client: Client, gao: User) -> Client:
        client.force_login(gao)
        return client

    def test_from_the_request_to_the_receipt(self, manager: Client) -> None:
        given, left_out = record(output=POEM + "一"), record(output=POEM + "二")
        said = {"requester": "权利人", "ground": "著作权", "passage": POEM}
        answer = manager.post("/review/takedowns/new/", said)
        assert answer.status_code == 303
        page = answer["Location"]
        takedown = Takedown.objects.get()
        assert f"#{given.pk}" in manager.get(page).content.decode()
        matches = {match.record_id: match.pk for match in takedown.matches.all()}
        manager.post(f"{page}choose/", {"shown": list(matches.values()), "included": [matches[given.pk]]})
        assert manager.post(f"{page}confirm/").status_code == 303
        assert set(Record.objects.live()) == {left_out}
        receipt = manager.get(f"{page}receipt/").content.decode()
        assert bytes(given.key).hex() in receipt
        assert POEM not in receipt
        assert POEM not in manager.get("/review/takedowns/export/").content.decode()
        assert manager.post(f"{page}confirm/").status_code == 409
        assert manager.post(f"{page}erase/", {"number": "0"}).status_code == 409
        assert manager.post(f"{page}erase/", {"number": str(takedown.pk)}).status_code == 303
        assert POEM not in manager.get(page).content.decode().replace(POEM + "二", "")
        assert manager.post(f"{page}reverse/").status_code == 409

    @pytest.mark.parametrize("said", [{}, {"requester": "我", "ground": "无"}, {"received_on": "2999-01-01"}])
    def test_a_request_that_says_too_little_comes_back(self, manager: Client, said: dict[str, str]) -> None:
        assert manager.post("/review/takedowns/new/", said).status_code == 422
        assert not Takedown.objects.exists()

    def test_pages_take_few_statements(self, manager: Client, django_assert_max_num_queries: Any) -> None:
        taken_down(*(record() for _ in range(5)))
        with django_assert_max_num_queries(14):
            manager.get(f"/review/takedowns/{Takedown.objects.get().pk}/")
        with django_assert_max_num_queries(8):
            manager.get("/review/takedowns/")
