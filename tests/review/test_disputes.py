"""Where reviewers differ: the list, the settler's page, and what both are told."""

import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from review import claims, decisions
from review.forms import started_now
from review.models import Claim, Decision, Draft, Record, State, User, Verdict
from review.views.disputes import differing
from tests.conftest import person
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import reload, signed_in, text_area

pytestmark = [pytest.mark.django_db, pytest.mark.core]

MOST_QUERIES = 16


def doubled(**fields: Any) -> Record:
    given = record(**fields)
    Record.objects.filter(pk=given.pk).update(wanted=2)
    return reload(given)


def disputed(lin: User, mei: User) -> Record:
    """One keeps the answer, the other mends it."""
    given = doubled()
    approve(given, lin, output="甲的改法。")
    approve(given, mei, output="乙的改法，更长一些。")
    return reload(given)


def form(given: Record, choice: object, **changes: Any) -> dict[str, Any]:
    said = {
        "seen_revision": given.revision_id,
        "request_id": uuid4(),
        "started": started_now(given.pk),
        "choice": str(choice),
        "reason": "",
    }
    return said | changes


def look(given: Record, by: User) -> Decision:
    return Decision.objects.get(record=given, reviewer=by)


def settle(by: User, given: Record, choice: object, **changes: Any) -> Any:
    claims.claim_record(by=by, record=given)
    return signed_in(by).post(reverse("review:dispute-settle", args=[given.pk]), form(given, choice, **changes))


def test_a_dispute_reaches_the_settler_at_once(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    client = signed_in(shen)
    page = client.get(reverse("review:disputes")).content.decode()
    assert "1 record is disputed" in page
    assert reverse("review:dispute", args=[given.pk]) in page
    answer = client.post(reverse("review:dispute-take"))
    assert answer["Location"] == reverse("review:dispute", args=[given.pk])
    assert Claim.objects.get().purpose == Claim.Purpose.SETTLE


def test_the_page_shows_original_and_looks_with_what_differs(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    claims.claim_record(by=shen, record=given)
    page = signed_in(shen).get(reverse("review:dispute", args=[given.pk])).content.decode()
    assert given.revision.output in page
    assert "<ins>" in page
    assert "<del>" in page
    assert "甲" in page
    assert not {"lin", "mei"} & set(re.findall(r"\w+", page.split("<main")[1]))


def test_choosing_a_look_takes_its_wording_under_its_authors_name(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    answer = settle(shen, given, look(given, mei).pk, reason="乙更完整")
    assert answer["Location"] == reverse("review:disputes")
    after = reload(given)
    assert (after.state, after.revision_id, after.revision.author) == (
        State.APPROVED,
        look(given, mei).revision_id,
        mei,
    )
    assert after.verdict
    assert (after.verdict.kind, after.verdict.reviewer, after.verdict.reason) == ("settle", shen, "乙更完整")


def test_choosing_the_original_leaves_it_as_it_was(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    settle(shen, given, "original")
    assert (reload(given).state, reload(given).revision_id) == (State.APPROVED, given.revision_id)


def test_merging_writes_the_settlers_own_wording(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    base = look(given, mei)
    claims.claim_record(by=shen, record=given)
    page = signed_in(shen).get(reverse("review:dispute", args=[given.pk]), {"base": base.pk})
    assert text_area(page.content, "output") == "乙的改法，更长一些。"
    settle(shen, given, "edited", base=base.revision_id, output="甲乙合并的改法。")
    after = reload(given)
    assert (after.state, after.revision.output, after.revision.author) == (State.APPROVED, "甲乙合并的改法。", shen)
    assert after.revision.instruction == given.revision.instruction


def test_rejecting_needs_a_reason_and_keeps_what_was_typed(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    answer = settle(shen, given, "reject", output="打了一半")
    assert answer.status_code == 422
    assert text_area(answer.content, "output") == "打了一半"
    settle(shen, given, "reject", reason="两种写法都错")
    assert reload(given).state == State.REJECTED


def test_differing_rights_are_a_dispute_that_names_whose_word_holds(lin: User, mei: User, shen: User) -> None:
    given = doubled()
    approve(given, lin)
    approve(given, mei, rights=decisions.SaidOfRights(Decision.RightsSaid.SET, "CC0-1.0", "某人"))
    given = reload(given)
    assert given.state == State.DISPUTED
    looks = list(Decision.objects.select_related("revision", "rights").order_by("pk"))
    assert differing(looks) in (["rights"], ["权利"])
    unclear = settle(shen, given, "original")
    assert unclear.status_code == 422
    settle(shen, given, "original", rights_of=look(given, mei).pk)
    after = reload(given)
    assert after.rights
    assert (after.rights.licence, after.rights.holder) == ("CC0-1.0", "某人")


def test_whoever_took_part_neither_takes_nor_settles(lin: User, shen: User, gao: User) -> None:
    given = doubled()
    approve(given, lin)
    approve(given, shen, output="仲裁员自己的改法")
    client = signed_in(shen)
    assert client.post(reverse("review:dispute-claim", args=[given.pk])).status_code == 403
    answer = client.post(reverse("review:dispute-settle", args=[given.pk]), form(reload(given), "original"))
    assert answer.status_code == 403
    assert client.post(reverse("review:dispute-take"))["Location"] == reverse("review:disputes")
    assert settle(gao, reload(given), "original").status_code == 303


def test_an_answer_that_comes_too_late_is_refused_with_the_text_kept(
    lin: User, mei: User, shen: User, gao: User
) -> None:
    given = disputed(lin, mei)
    claims.claim_record(by=shen, record=given)
    late = form(given, "edited", output="迟到的改法")
    Claim.objects.all().delete()
    settle(gao, given, "original")
    answer = signed_in(shen).post(reverse("review:dispute-settle", args=[given.pk]), late)
    assert answer.status_code == 409
    assert Decision.objects.filter(kind="settle").count() == 1


@pytest.mark.parametrize("data", [{}, {"choice": "x"}, {"choice": "edited", "base": "9" * 30}, {"rights_of": "\0"}])
def test_a_form_that_makes_no_sense_is_refused(lin: User, mei: User, shen: User, data: dict[str, str]) -> None:
    given = disputed(lin, mei)
    claims.claim_record(by=shen, record=given)
    assert signed_in(shen).post(reverse("review:dispute-settle", args=[given.pk]), data).status_code == 422


def test_what_a_settler_types_is_kept_and_comes_back(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    claims.claim_record(by=shen, record=given)
    client, page = signed_in(shen), reverse("review:dispute", args=[given.pk])
    second = look(given, mei)
    typed = form(
        given, "edited", base=second.revision_id, output="写到一半", reason="还没想好", rights_of=str(second.pk)
    )
    assert client.post(reverse("review:dispute-draft", args=[given.pk]), typed).status_code == 204
    shown = client.get(page).content
    assert text_area(shown, "output") == "写到一半"
    assert "还没想好" in shown.decode()
    assert f'value="{second.pk}" checked' in shown.decode()
    assert f'name="base" value="{second.revision_id}"' in shown.decode()
    assert text_area(client.get(page, {"base": "original"}).content, "output") == given.revision.output
    claims.release_claim(by=shen, record=given.pk)
    assert Draft.objects.filter(reviewer=shen, record=given).exists()
    settle(shen, given, "edited", base=second.revision_id, output="写完了。", reason="想好了")
    assert not Draft.objects.filter(reviewer=shen, record=given).exists()


def test_rights_are_decided_anew_where_they_differ(lin: User, mei: User, shen: User) -> None:
    given = doubled()
    approve(given, lin)
    approve(given, mei, rights=decisions.SaidOfRights(Decision.RightsSaid.SET, "CC-BY-4.0", "梅"))
    given = reload(given)
    assert given.state == State.DISPUTED
    assert settle(shen, given, "original").status_code == 422, "somebody has to say what holds"
    anew = {"rights_of": "set", "licence": "CC0-1.0", "holder": "第三人", "source_address": "https://example.org/a"}
    assert settle(shen, given, "original", **anew).status_code == 303
    settled = reload(given)
    assert settled.state == State.APPROVED
    assert settled.rights is not None
    assert (settled.rights.licence, settled.rights.holder) == ("CC0-1.0", "第三人")


def test_both_reviewers_see_the_note_and_what_was_made_of_their_wording(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    for reviewer in (lin, mei):
        assert "甲乙各有所长" not in signed_in(reviewer).get(reverse("review:mine")).content.decode()
    settle(shen, given, "edited", base=look(given, lin).revision_id, output="合并。", reason="甲乙各有所长")
    for reviewer in (lin, mei):
        page = signed_in(reviewer).get(reverse("review:mine")).content.decode()
        assert "甲乙各有所长" in page
        assert "<ins>" in page


def test_the_list_takes_the_same_few_queries_whatever_its_length(lin: User, mei: User, shen: User) -> None:
    client, numbers = signed_in(shen), []
    client.get(reverse("review:disputes"))
    for _round in range(2):
        for _ in range(3):
            disputed(lin, mei)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("review:disputes"))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= MOST_QUERIES


def test_the_page_takes_few_queries(lin: User, mei: User, shen: User) -> None:
    given = disputed(lin, mei)
    claims.claim_record(by=shen, record=given)
    client = signed_in(shen)
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("review:dispute", args=[given.pk]))
    assert len(queries) <= MOST_QUERIES


def test_settlers_limited_to_another_source_find_nothing(lin: User, mei: User, shen: User, law_gee: Any) -> None:
    given = disputed(lin, mei)
    shen.sources.set([law_gee])
    client = signed_in(shen)
    assert "Nothing is disputed" in client.get(reverse("review:disputes")).content.decode()
    assert client.get(reverse("review:dispute", args=[given.pk])).status_code == 404


def review_pairs(pairs: list[tuple[dict[str, str], dict[str, str] | None]], one: User, other: User) -> None:
    """Take the texts in, and let one reviewer keep each as it was, the other say what became of it."""
    candidates = [candidate(instruction=b["instruction"], output=b["output"], answer_from="llm") for b, _after in pairs]
    batch = add_records("ruozhiba", candidates)
    Record.objects.filter(batch=batch).update(wanted=2)
    given = {r.revision.output + r.revision.instruction: r for r in Record.objects.select_related("revision")}
    for before, after in pairs:
        found = given[before["output"] + before["instruction"]]
        approve(found, one)
        if after is None:
            said = judgement(found, Verdict.REJECT, reason="删去")
        else:
            said = judgement(found, instruction=after["instruction"], output=after["output"])
        decisions.decide(by=other, record=found.pk, judgement=said)


def test_pairs_of_two_reviewers_end_in_agreement_or_dispute(lin: User, mei: User, shen: User) -> None:
    pairs: list[tuple[dict[str, str], dict[str, str] | None]] = []
    for number in range(12):
        before = {"instruction": f"问题{number}？", "output": f"回答{number}。"}
        after = [before, before | {"output": f"改写{number}。"}, None][number % 3]
        pairs.append((before, after))
    review_pairs(pairs, lin, mei)
    assert Record.objects.filter(state=State.APPROVED).count() == 4
    assert Record.objects.filter(state=State.DISPUTED).count() == 8


@pytest.mark.slow
def test_the_real_pairs_as_two_reviewers_work(shared_data: Path) -> None:
    one, other = person("one", "reviewer"), person("other", "reviewer")
    settler = person("settler", "settler", "reviewer")
    folder = shared_data / "reviewed"
    before, after = (orjson.loads((folder / f"ruozhiba_{name}.json").read_bytes()) for name in ("before", "after"))
    rows = [orjson.loads(line) for line in (folder / "pairs.jsonl").read_bytes().split(b"\n") if line]
    pairs = [(before[row["before"]], after[row["after"]] if row["after"] is not None else None) for row in rows]
    review_pairs(pairs, one, other)
    assert Record.objects.filter(state=State.APPROVED).count() == 785
    assert Record.objects.filter(state=State.DISPUTED).count() == 529
    client, times = signed_in(settler), []
    disputes = list(Record.objects.filter(state=State.DISPUTED).values_list("pk", flat=True))
    client.get(reverse("review:dispute", args=disputes[:1]))  # a server reads its templates before the first request
    for pk in disputes:
        started = time.perf_counter()
        assert client.get(reverse("review:dispute", args=[pk])).status_code == 200
        times.append(time.perf_counter() - started)
    assert max(times) <= 0.3
