"""Acceptance sampling: drawn by a seed, inspected blind, accepted or sent back whole."""

import re
import time
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from exports.cutting import cut
from exports.models import Policy
from exports.options import Options
from exports.rows import held_back
from review import claims, inspections, sampling, sending_back
from review.forms import started_now
from review.models import (
    Decision,
    Guideline,
    Inspected,
    Inspection,
    Licence,
    Record,
    State,
    User,
    Verdict,
    Withdrawal,
)
from review.refused import Ground, Refused
from tests.conftest import person
from tests.factories import add_records, approve, candidate, record
from tests.review.approving import approved
from tests.review.reviewing import reload, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.core]

MOST_QUERIES = 20


# The table


@pytest.mark.parametrize(
    ("lot", "level", "limit", "plan"),
    [
        (1000, "II", "1.0", ("J", 80, 2)),
        (1000, "II", "0.10", ("K", 125, 0)),
        (1000, "I", "2.5", ("G", 32, 2)),
        (1000, "III", "4.0", ("K", 125, 10)),
        (500, "II", "1.5", ("H", 50, 2)),
        (1201, "II", "0.65", ("K", 125, 2)),
        (100_000, "II", "10", ("K", 125, 21)),
        (600_000, "II", "1.0", ("Q", 1250, 21)),
        (30, "II", "1.0", ("E", 13, 0)),
        (5, "II", "1.0", ("E", 5, 0)),
        (1, "II", "10", ("C", 1, 0)),
    ],
)
def test_plan_is_that_of_the_table(lot: int, level: str, limit: str, plan: tuple[str, int, int]) -> None:
    found = sampling.plan(lot, limit=limit, level=level)
    assert (found.sample, found.acceptance) == plan[1:]


def test_the_table_grows_with_batch_and_limit() -> None:
    for level in sampling.LEVELS:
        for limit in sampling.LIMITS:
            sizes = [sampling.plan(lot, limit=limit, level=level).sample for lot in (2, 20, 200, 2000, 20_000, 200_000)]
            assert sizes == sorted(sizes)


# The draw


def batch_of(number: int, lin: User) -> list[Record]:
    batch = add_records("ruozhiba", [candidate() for _ in range(number)], licence="CC0-1.0")
    records = list(Record.objects.filter(batch=batch).select_related("revision").order_by("pk"))
    for given in records:
        approve(given, lin)
    return records


def draw(gao: User, **said: Any) -> Inspection:
    scope = said.pop("scope", inspections.Scope())
    return inspections.open_inspection(by=gao, scope=scope, **said)


def test_the_sample_is_known_from_seed_and_batch_alone(lin: User, gao: User) -> None:
    records = batch_of(20, lin)
    inspection = draw(gao, seed="种子", sample_size=6, acceptance=1)
    order = sorted(records, key=lambda given: sha256(f"种子:{given.pk}".encode()).digest())
    drawn = list(inspections.sample(inspection).values_list("record", flat=True))
    assert drawn == [given.pk for given in order[:6]]
    assert (inspection.lot_size, inspection.lot.count()) == (20, 20)


def test_the_batch_is_frozen_when_it_is_drawn(lin: User, gao: User) -> None:
    batch_of(5, lin)
    inspection = draw(gao)
    batch_of(3, lin)
    assert inspection.lot.count() == 5


@pytest.mark.parametrize("by", ["source", "batch", "reviewer", "week", "guideline"])
def test_a_batch_is_chosen_by(by: str, lin: User, mei: User, gao: User) -> None:
    mine = batch_of(3, lin)
    before = Guideline.objects.create(source=mine[0].source, version=1, text="新")
    other = record("law-gee")
    approve(other, mei)
    approve(record("law-gee"), mei)
    today = timezone.localdate()
    scope = {
        "source": inspections.Scope(source=mine[0].source),
        "batch": inspections.Scope(batch=mine[0].batch),
        "reviewer": inspections.Scope(reviewer=lin),
        "week": inspections.Scope(reviewer=lin, since=today - timedelta(days=6), until=today),
        "guideline": inspections.Scope(guideline=before),
    }[by]
    assert set(scope.records(gao)) == set(mine)
    assert not inspections.Scope(since=today + timedelta(days=1)).records(gao).exists()


def test_what_was_decided_under_the_new_guideline_is_not_older(lin: User, gao: User) -> None:
    mine = batch_of(2, lin)
    newer = Guideline.objects.create(source=mine[0].source, version=1, text="一")
    batch_of(2, lin)
    assert set(inspections.Scope(guideline=newer).records(gao)) == set(mine)
    newest = Guideline.objects.create(source=mine[0].source, version=2, text="二")
    assert inspections.Scope(guideline=newest).records(gao).count() == 4
    page = signed_in(gao).get(reverse("review:guideline-older", args=[newest.pk])).content.decode()
    assert "4 approved records" in page


# Inspecting


def say(by: User, item: Inspected, verdict: Verdict = Verdict.APPROVE, reason: str = "") -> Decision:
    return inspections.inspect(by=by, item=item, said=inspections.Said(verdict, uuid4(), reason))


def inspect_all(by: User, inspection: Inspection, defects: int) -> None:
    for number, item in enumerate(inspections.sample(inspection)):
        say(by, item, *((Verdict.REJECT, "缺字") if number < defects else (Verdict.APPROVE,)))


def test_a_finding_never_touches_the_record(lin: User, shen: User, gao: User) -> None:
    (given, _other) = batch_of(2, lin)
    before = vars(reload(given))
    inspection = draw(gao)
    inspect_all(shen, inspection, 1)
    after = vars(reload(given))
    assert {k: v for k, v in after.items() if k[0] != "_"} == {k: v for k, v in before.items() if k[0] != "_"}
    assert Record.objects.filter(human_verified=True).count() == 2


def test_nobody_inspects_what_they_decided_on(lin: User, shen: User, gao: User) -> None:
    batch_of(2, shen)
    inspection = draw(gao)
    assert inspections.next_for(shen, inspection) is None
    with pytest.raises(Refused) as refused:
        say(shen, inspections.sample(inspection)[0])
    assert refused.value.ground == Ground.FORBIDDEN
    with pytest.raises(Refused):
        say(lin, inspections.sample(inspection)[0])
    assert inspections.next_for(gao, inspection) is not None


def test_the_inspector_sees_the_text_and_not_whose_it_is(lin: User, shen: User, gao: User) -> None:
    records = batch_of(2, lin)
    sending_back.send_back(by=gao, records=[records[0].pk], reason="x", to=lin)
    approve(records[0], lin, output="改过的。")
    inspection = draw(gao)
    page = signed_in(shen).get(reverse("review:inspection-inspect", args=[inspection.pk])).content.decode()
    assert "lin" not in re.findall(r"\w+", page.split("<main")[1])
    assert 'value="approve"' in page


def test_the_pages_lead_from_choice_to_conclusion(lin: User, shen: User, gao: User) -> None:
    batch_of(3, lin)
    manager, inspector = signed_in(gao), signed_in(shen)
    new = reverse("review:inspection-new")
    assert "3 approved records" in manager.get(new, {"source": "ruozhiba", "level": "II"}).content.decode()
    chosen = {"source": "ruozhiba", "level": "II", "quality_limit": "1.0", "sample_size": 2, "acceptance": 0}
    answer = manager.post(new, chosen | {"seed": "s"})
    inspection = Inspection.objects.get()
    assert answer["Location"] == reverse("review:inspection", args=[inspection.pk])
    inspect = reverse("review:inspection-inspect", args=[inspection.pk])
    for item in inspections.sample(inspection):
        said = {"place": item.place, "request_id": uuid4(), "started": started_now(item.record_id)}
        assert inspector.post(inspect, said | {"verdict": "reject", "reason": ""}).status_code == 422
        assert inspector.post(inspect, said | {"verdict": "reject", "reason": "缺字"}).status_code == 303
        assert inspector.post(inspect, said | {"verdict": "reject", "reason": "缺字"}).status_code == 303
    assert Decision.objects.filter(kind="inspect").count() == 2
    conclude = reverse("review:inspection-conclude", args=[inspection.pk])
    assert inspector.post(conclude, {"reason": "x"}).status_code == 403
    assert manager.post(conclude, {"reason": ""}).status_code == 422
    assert manager.post(conclude, {"reason": "请逐条核对"}).status_code == 303
    assert Record.objects.filter(state=State.WAITING, assignee=lin).count() == 3
    assert manager.post(conclude, {"reason": "x"}).status_code == 409
    page = signed_in(lin).get(reverse("review:mine")).content.decode()
    assert "请逐条核对" in page
    assert "缺字" in page


@pytest.mark.parametrize(
    "data", [{}, {"verdict": "x"}, {"place": "1"}, {"place": "9" * 30}, {"place": "-1", "verdict": "approve"}]
)
def test_a_finding_that_makes_no_sense_is_refused(lin: User, shen: User, gao: User, data: dict[str, str]) -> None:
    batch_of(2, lin)
    inspection = draw(gao)
    answer = signed_in(shen).post(reverse("review:inspection-inspect", args=[inspection.pk]), data)
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize(
    "data", [{"source": "nowhere"}, {"since": "x"}, {"level": "IX"}, {"sample_size": "0"}, {"batch": "x"}]
)
def test_a_choice_that_makes_no_sense_is_refused(gao: User, data: dict[str, str]) -> None:
    new, client = reverse("review:inspection-new"), signed_in(gao)
    assert client.post(new, data).status_code == 422
    assert client.get(new, data).status_code == 200


# Concluding


def test_a_batch_within_the_limit_is_accepted_and_stays(lin: User, shen: User, gao: User) -> None:
    batch_of(6, lin)
    inspection = draw(gao, sample_size=4, acceptance=1)
    with pytest.raises(Refused):
        inspections.conclude(by=gao, inspection=inspection)
    inspect_all(shen, inspection, 1)
    done = inspections.conclude(by=gao, inspection=inspection)
    assert (done.state, done.closed_by, done.sent_back) == (Inspection.State.ACCEPTED, gao, 0)
    assert Record.objects.filter(human_verified=True).count() == 6


def test_a_failed_batch_goes_back_as_soon_as_it_has_failed(lin: User, shen: User, gao: User) -> None:
    records = batch_of(6, lin)
    inspection = draw(gao, sample_size=4, acceptance=0)
    say(shen, inspections.sample(inspection)[0], Verdict.REJECT, "缺字")
    done = inspections.conclude(by=gao, inspection=inspection, reason="请核对标点")
    assert (done.state, done.sent_back) == (Inspection.State.SENT_BACK, 6)
    assert not Record.objects.filter(human_verified=True).exists()
    assert {reload(given).assignee for given in records} == {lin}
    assert set(Withdrawal.objects.values_list("kind", "reason")) == {("batch", "请核对标点")}
    assert claims.claim_next(by=lin) is not None


def test_what_was_decided_anew_meanwhile_stays(lin: User, mei: User, shen: User, gao: User) -> None:
    records = batch_of(3, lin)
    inspection = draw(gao, sample_size=2, acceptance=0)
    sending_back.send_back(by=gao, records=[records[0].pk], reason="x")
    approve(records[0], mei)
    say(shen, inspections.sample(inspection)[0], Verdict.REJECT, "缺字")
    assert inspections.conclude(by=gao, inspection=inspection, reason="x").sent_back == 2
    assert reload(records[0]).human_verified


def test_a_failed_batch_of_a_thousand(gao: User, shen: User) -> None:
    reviewers = [person(f"reviewer{number}", "reviewer") for number in range(12)]
    approved(1000, reviewers)
    inspection = draw(gao, limit="1.0")
    assert (inspection.lot_size, inspection.sample_size, inspection.acceptance) == (1000, 80, 2)
    for item in inspections.sample(inspection)[:3]:
        say(shen, item, Verdict.REJECT, "答非所问")
    policy = Policy.objects.get(slug="open")
    before = cut(version="1.0", policy=policy, options=Options(), by=gao)
    assert (before.records, before.held_back) == (1000, {})
    started = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        done = inspections.conclude(by=gao, inspection=inspection, reason="整批打回")
    assert time.perf_counter() - started <= 2
    assert len(queries) <= 30
    assert done.sent_back == 1000
    assert not Record.objects.filter(human_verified=True).exists()
    assert Record.objects.filter(state=State.WAITING, round=2).exclude(assignee=None).count() == 1000
    after = cut(version="1.1", policy=policy, options=Options(), by=gao)
    assert (after.records, after.held_back) == (0, {"ruozhiba": {"sent-back": 1000}})


def test_a_record_decided_again_is_held_back_no_more(lin: User, mei: User, gao: User) -> None:
    (given, _other) = batch_of(2, lin)
    sending_back.send_back(by=gao, records=[given.pk], reason="x")
    assert [row.reason for row in held_back(Licence.open())] == ["sent-back"]
    approve(given, mei)
    assert not held_back(Licence.open()).exists()


def test_lists_take_the_same_few_queries_whatever_their_length(lin: User, shen: User, gao: User) -> None:
    batch_of(4, lin)
    client, numbers = signed_in(gao), []
    client.get(reverse("review:inspections"))
    for _ in range(2):
        inspect_all(shen, draw(gao), 1)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("review:inspections"))
        with CaptureQueriesContext(connection) as more:
            client.get(reverse("review:inspection", args=[Inspection.objects.latest("pk").pk]))
        numbers.append((len(queries), len(more)))
    assert numbers[0] == numbers[1]
    assert max(numbers[0]) <= MOST_QUERIES


def test_a_manager_limited_to_another_source_sees_no_inspection(lin: User, gao: User, law_gee: Any) -> None:
    batch_of(2, lin)
    inspection = draw(gao)
    gao.sources.set([law_gee])
    assert signed_in(gao).get(reverse("review:inspection", args=[inspection.pk])).status_code == 404
    with pytest.raises(Refused):
        draw(User.objects.get(pk=gao.pk))
