"""The feed of changes: every change once, in order, from wherever it is read on; it adds up to what may leave now."""

import json
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from exports import feed
from exports.models import Policy
from review import sealing, workflow
from review.models import Batch, Cause, Label, Record, Role, Seal, Source, State, User
from review.retractions import retract
from review.rights import decide_rights
from review.text.rules import PERSONAL
from tests.conftest import person
from tests.exports.conftest import Approved
from tests.exports.test_cutting import take_down
from tests.factories import approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

ADDRESS = "/api/v1/export/changes.jsonl"


def told(client: Client, cursor: str = "0", **said: str) -> list[dict[str, Any]]:
    """What the feed tells behind a cursor, when everything is sealed."""
    sealing.seal()
    answer = client.get(ADDRESS, {"cursor": cursor, **said})
    assert answer.status_code == 200
    return [json.loads(line) for line in b"".join(answer.streaming_content).split(b"\n")[:-1]]


def live(client: Client, **said: str) -> dict[int, dict[str, Any]]:
    """What the live stream holds, by id."""
    answer = client.get("/api/v1/export/records.jsonl", said)
    records = [json.loads(line) for line in b"".join(answer.streaming_content).split(b"\n")[:-1]]
    used = Policy.objects.get(slug=said.get("policy", "research"))
    leaving = Record.objects.releasable(used.licences, without=used.holds_back_flags)
    ids = leaving.order_by("pk").values_list("pk", flat=True)
    return dict(zip(ids, records, strict=True))


def replayed(events: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a consumer holds who does what it is told; an order that cannot be is an error."""
    held: dict[int, dict[str, Any]] = {}
    for event in events:
        assert list(event) == ["cursor", "id", "change", "record"]
        assert (event["change"] == "added") == (event["id"] not in held)
        if event["change"] == "removed":
            assert event["record"] is None
            del held[event["id"]]
        else:
            held[event["id"]] = event["record"]
    return held


def back_to_queue(records: Any, by: User) -> None:
    for record in records:
        workflow.move(
            Record.objects.filter(pk=record.pk),
            cause=Cause.SEND_BACK,
            by=by,
            state=State.WAITING,
            verdict=None,
            round=record.round + 1,
        )


def test_what_is_approved_is_added(approved: Approved, consumer: Client) -> None:
    approved(3)
    events = told(consumer)
    assert [event["change"] for event in events] == ["added"] * 3
    assert replayed(events) == live(consumer)
    assert next(iter(events[0]["record"])) == "instruction"
    assert told(consumer, events[-1]["cursor"]) == []


def test_rewritten_record_is_removed_and_added(approved: Approved, consumer: Client, mei: User) -> None:
    approved(2)
    before = told(consumer)
    first = Record.objects.order_by("pk")[0]
    back_to_queue([first], mei)
    after = told(consumer, before[-1]["cursor"])
    assert [(event["id"], event["change"], event["record"]) for event in after] == [(first.pk, "removed", None)]
    first.refresh_from_db()
    approve(first, mei, output="由审核者改写的另一个回答。")
    (event,) = told(consumer, after[-1]["cursor"])
    assert (event["id"], event["change"]) == (first.pk, "added")
    assert event["record"]["output"] == "由审核者改写的另一个回答。"


@pytest.mark.parametrize("wide", ["source", "batch"])
def test_decision_on_many_moves_each_once(
    approved: Approved, consumer: Client, monkeypatch: pytest.MonkeyPatch, wide: str
) -> None:
    monkeypatch.setattr(feed, "PAGE_RECORDS", 2)
    batch = approved(5, licence=None)
    assert told(consumer) == []
    owner: Source | Batch = batch.source if wide == "source" else batch
    decide_rights(owner, by=None, licence="CC-BY-4.0", holder="某人")
    added = told(consumer)
    assert [event["change"] for event in added] == ["added"] * 5
    assert len({event["cursor"] for event in added}) == 5
    assert replayed(added) == live(consumer)
    for event in added:
        rest = told(consumer, event["cursor"])
        assert rest == added[added.index(event) + 1 :]
    decide_rights(owner, by=None, licence="CC-BY-4.0", holder="某人")
    decide_rights(owner, by=None, licence="MIT", holder="某人")
    rights = told(consumer, added[-1]["cursor"])
    assert [event["change"] for event in rights] == ["rights"] * 5
    assert {event["record"]["copyright"] for event in rights} == {"某人，MIT"}
    decide_rights(owner, by=None, licence="unknown")
    removed = told(consumer, rights[-1]["cursor"])
    assert [(event["change"], event["record"]) for event in removed] == [("removed", None)] * 5


def test_decision_on_a_source_leaves_alone_what_has_its_own(approved: Approved, consumer: Client) -> None:
    own = approved(1, licence="MIT")
    approved(2, licence=None)
    single = Record.objects.exclude(batch=own).order_by("pk")[0]
    decide_rights(single, by=None, licence="CC0-1.0")
    seen = told(consumer)
    decide_rights(own.source, by=None, licence="CC-BY-4.0", holder="某人")
    events = told(consumer, seen[-1]["cursor"])
    assert [event["change"] for event in events] == ["added"]
    assert events[0]["id"] not in {single.pk, *Record.objects.filter(batch=own).values_list("pk", flat=True)}
    assert replayed([*seen, *events]) == live(consumer)


def test_what_was_taken_down_since_is_told_without_its_text(approved: Approved, consumer: Client) -> None:
    approved(2)
    gone = Record.objects.order_by("pk")[0]
    take_down(Record.objects.filter(pk=gone.pk))
    events = told(consumer)
    assert [(event["id"] == gone.pk, event["change"], event["record"] is None) for event in events] == [
        *((True, "added", True), (False, "added", False), (True, "removed", True))
    ]


def test_each_policy_has_its_own_feed(approved: Approved, consumer: Client, insider: Client) -> None:
    approved(1, licence="MIT")
    approved(1, licence="CC-BY-NC-4.0")
    approved(1, licence=None)
    for policy, client, number in (("open", consumer, 1), ("research", consumer, 2), ("internal", insider, 3)):
        assert replayed(told(client, policy=policy)) == live(client, policy=policy)
        assert len(told(client, policy=policy)) == number
    assert consumer.get(ADDRESS, {"policy": "internal"}).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        *(
            "cursor=",
            "cursor=x",
            "cursor=-1",
            "cursor=1.",
            "cursor=1.2.3",
            "cursor=1e9",
            "cursor=９",
            "cursor=99999999",
        ),
        *("cursor=%00", "cursor=1234567890123456789012345", "source=mba", "since=0", "policy=everything"),
    ],
)
def test_cursor_or_filter_that_is_none_is_refused(consumer: Client, query: str) -> None:
    answer = consumer.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 400
    assert answer.json()["problems"]


def test_answer_announces_how_far_it_goes(approved: Approved, consumer: Client) -> None:
    approved(1)
    sealing.seal()
    answer = consumer.get(ADDRESS)
    assert answer["X-Cursor"] == str(feed.last()) != "0"
    assert told(consumer, answer["X-Cursor"]) == []


def test_text_of_a_record_is_that_of_its_time(approved: Approved, consumer: Client, mei: User) -> None:
    approved(1)
    before = told(consumer)
    record = Record.objects.get()
    back_to_queue([record], mei)
    record.refresh_from_db()
    approve(record, mei, output="改写过的回答，与从前不同。")
    events = told(consumer)
    assert events[0] == before[0]
    assert [event["change"] for event in events] == ["added", "removed", "added"]


def turn(dice: random.Random) -> None:
    """Let the policy let out something else, or heed a flag, as a manager does on its page."""
    research = Policy.objects.get(slug="research")
    wanted = {"MIT", *dice.sample(["CC-BY-4.0", "CC-BY-NC-4.0", "CC0-1.0"], dice.randint(0, 3))}
    research.licences = sorted(wanted)
    research.holds_back_flags = dice.choice([[], [], sorted(PERSONAL)])
    research.save()


def merge(dice: random.Random) -> None:
    """Let a label be published as another one, or as itself again."""
    one, other = (Label.objects.get_or_create(kind="domain", name=name)[0] for name in ("百科", "通识"))
    one.alias_of = dice.choice([other, None])
    one.save()


def happen(approved: Approved, mei: User, dice: random.Random) -> None:
    """Let something happen, now and then several things between two seals."""
    batches = list(Batch.objects.filter(retraction=None).order_by("pk"))
    records = list(Record.objects.live().filter(state=State.APPROVED).order_by("pk"))
    licences: list[str] = ["MIT", "CC-BY-4.0", "CC-BY-NC-4.0", "unknown", "restricted", "fair-use"]

    def decide(owner: Source | Batch | Record) -> None:
        decide_rights(owner, by=None, licence=dice.choice(licences), holder=dice.choice(["甲", "乙"]))

    def edit(record: Record) -> None:
        back_to_queue([record], mei)
        record.refresh_from_db()
        approve(
            record,
            person(f"editor-{record.revision.number}", Role.REVIEWER),
            output=f"改写的回答，第{dice.random()}版。",
        )

    def add() -> None:
        source, licence = dice.choice(["mba", "poem"]), dice.choice([None, "MIT"])
        number = dice.random()
        flagged = candidate(output=f"请拨打13812345678，{number}。")
        approved([candidate(), candidate(), flagged], source=source, licence=licence)

    acts: list[Callable[[], object]] = [
        add,
        lambda: decide(dice.choice(batches)),
        lambda: decide(Source.objects.get(slug=dice.choice(["mba", "poem"]))),
        lambda: decide(dice.choice(records)),
        lambda: edit(dice.choice(records)),
        lambda: back_to_queue([dice.choice(records)], mei),
        lambda: take_down(Record.objects.filter(pk=dice.choice(records).pk)),
        lambda: retract(dice.choice(batches), by=None) if dice.random() < 0.3 else None,
        lambda: turn(dice),
        lambda: merge(dice),
    ]
    dice.choice(acts if records and batches else acts[:1])()
    if dice.random() < 0.5:
        sealing.seal()


@pytest.mark.parametrize("seed", range(4))
def test_reader_that_stops_anywhere_has_every_change_once(
    approved: Approved, consumer: Client, mei: User, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(feed, "PAGE_RECORDS", 2)
    monkeypatch.setattr(feed, "PAGE_SEALS", 3)
    cursor, followed = "0", []
    for _step in range(40):
        happen(approved, mei, dice)
        events = told(consumer, cursor)
        kept = events[: dice.randint(0, len(events))]
        followed += kept
        cursor = kept[-1]["cursor"] if kept else cursor
    followed += told(consumer, cursor)
    whole = told(consumer)
    assert [(one["cursor"], one["id"], one["change"]) for one in followed] == [
        (one["cursor"], one["id"], one["change"]) for one in whole
    ]
    cursors = [(event["cursor"], event["id"]) for event in whole]
    assert len(set(cursors)) == len(cursors)
    keys = [tuple(map(int, event["cursor"].split("."))) for event in whole]
    assert all(one < other for one, other in pairwise(keys))
    assert {pk: record for pk, record in replayed(whole).items() if record} == live(consumer)
    changes = {event["change"] for event in whole}
    assert {"added", "removed"} <= changes <= {"added", "removed", "rights", "changed"}
    monkeypatch.setattr(feed, "PAGE_RECORDS", 1000)
    monkeypatch.setattr(feed, "PAGE_SEALS", 2000)
    assert told(consumer) == whole


def test_reading_takes_no_transaction_from_page_to_page(
    approved: Approved, consumer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE_SEALS", 2)
    approved(4)
    sealing.seal()
    stream = feed.lines(feed.Cursor(), feed.last(), Policy.objects.get(slug="research"))
    next(stream)
    assert connection.connection.info.transaction_status in {0, 2}
    Seal.objects.count()
    assert sum(piece.count(b"\n") for piece in stream) > 0


def test_reading_takes_few_statements(
    approved: Approved, consumer: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    approved(30)
    sealing.seal()
    with django_assert_max_num_queries(16):
        b"".join(consumer.get(ADDRESS).streaming_content)


def test_a_change_of_the_policy_is_told_record_by_record(approved: Approved, consumer: Client) -> None:
    approved(2, licence="CC-BY-NC-4.0")
    flagged = Record.objects.get(batch=approved([candidate(output="请拨打13812345678。")], licence="MIT"))
    approved(1, licence="MIT")
    before = told(consumer)
    assert len(before) == 4
    research = Policy.objects.get(slug="research")
    research.licences, research.holds_back_flags = ["MIT"], sorted(PERSONAL)
    research.save()
    events = told(consumer, before[-1]["cursor"])
    assert [event["change"] for event in events] == ["removed"] * 3
    assert flagged.pk in {event["id"] for event in events}
    research.licences, research.holds_back_flags = ["CC-BY-NC-4.0", "MIT"], []
    research.save()
    again = told(consumer, events[-1]["cursor"])
    assert [event["change"] for event in again] == ["added"] * 3
    assert replayed([*before, *events, *again]) == live(consumer) == replayed(told(consumer))


def test_merged_labels_are_told_and_streamed_under_their_new_name(approved: Approved, consumer: Client) -> None:
    approved(2)
    approved([candidate(domain=("诗",))])
    before = told(consumer)
    old, new = (Label.objects.get_or_create(kind="domain", name=name)[0] for name in ("百科", "通识"))
    old.alias_of = new
    old.save()
    events = told(consumer, before[-1]["cursor"])
    assert [(event["change"], event["record"]["domain"]) for event in events] == [("changed", ["通识"])] * 2
    assert [record["domain"] for record in live(consumer).values()] == [["通识"], ["通识"], ["诗"]]
    for name, number in (("通识", 2), ("诗", 1)):
        answer = consumer.get("/api/v1/export/records.jsonl", {"domain": name})
        assert answer["X-Record-Count"] == str(number)
    assert replayed([*before, *events]) == live(consumer)
