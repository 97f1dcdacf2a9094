"""What managers do to many records at once: planned, confirmed, done in portions, recorded, and undone."""

import pytest
from django.db import IntegrityError, transaction

from review import bulk, claims, search, tasks
from review.models import BulkAction, BulkChange, Claim, Move, Record, Revision, Source, State, User
from review.refused import Refused
from review.text.signature import content_hash
from tests.factories import add_records, approve, candidate, record
from tests.review.reviewing import reload, signed_in

pytestmark = pytest.mark.django_db

NEW = "/review/records/bulk/"


def done(by: User, kind: str, **parameters: object) -> BulkAction:
    action = bulk.start(by=by, kind=kind, records=Record.objects.all(), parameters=parameters)
    bulk.run(action.pk)
    action.refresh_from_db()
    return action


def undone(by: User, action: BulkAction) -> BulkAction:
    bulk.undo(by=by, action=action)
    bulk.run(action.pk)
    action.refresh_from_db()
    return action


def licences(*records: Record) -> list[str | None]:
    return [fresh.rights.licence if fresh.rights else None for fresh in map(reload, records)]


def test_assigning_gives_what_is_undecided_to_a_person_and_takes_it_back(gao: User, lin: User, mei: User) -> None:
    one, two, decided = record(), record(), record()
    approve(decided, mei)
    Record.objects.filter(pk=two.pk).update(assignee=mei)
    assert bulk.plan("assign", Record.objects.all()) == (2, 1)
    action = done(gao, "assign", assignee=lin.pk)
    assert [reload(each).assignee for each in (one, two, decided)] == [lin, lin, None]
    assert list(action.changes.order_by("record").values_list("before", "after")) == [(None, lin.pk), (mei.pk, lin.pk)]
    assert undone(gao, action).state == BulkAction.State.UNDONE
    assert [reload(each).assignee for each in (one, two, decided)] == [None, mei, None]


def test_undoing_leaves_alone_what_somebody_changed_since(gao: User, lin: User, mei: User) -> None:
    one, two = record(), record()
    action = done(gao, "prioritise", priority=7)
    Record.objects.filter(pk=two.pk).update(priority=9)
    undone(gao, action)
    assert [reload(one).priority, reload(two).priority] == [0, 9]


def test_labels_come_with_another_revision_by_the_manager(gao: User, lin: User) -> None:
    one = record(major=("问答",), domain=("通用",))
    untouched = record(major=("问答",), domain=("法律",))
    approve(untouched, lin)
    action = done(gao, "label", mode="add", domain=["法律", "通用"], major=[], minor=[])
    fresh = reload(one)
    assert (fresh.revision.domain, fresh.revision.number, fresh.revision.author) == (["通用", "法律"], 2, gao)
    assert bytes(fresh.revision.sha256) == content_hash(
        instruction=fresh.revision.instruction,
        input="",
        output=fresh.revision.output,
        major=["问答"],
        minor=fresh.revision.task_type["minor"],
        domain=["通用", "法律"],
        metadata=fresh.revision.metadata,
        answer_from=fresh.revision.answer_from,
    )
    assert reload(untouched).revision_id == untouched.revision_id
    assert [move.cause for move in Move.objects.filter(record=one)] == ["label"]
    assert fresh.state == State.WAITING
    undone(gao, action)
    assert reload(one).revision_id == one.revision_id
    assert Revision.objects.filter(record=one).count() == 2


def test_labels_that_are_there_already_change_nothing(gao: User) -> None:
    record(domain=("法律",))
    action = done(gao, "label", mode="add", domain=["法律"])
    assert (action.state, BulkChange.objects.count(), Revision.objects.count()) == (BulkAction.State.DONE, 0, 1)


def test_labels_can_take_the_place_of_those_there_were(gao: User) -> None:
    one = record(major=("问答",), domain=("通用", "百科"))
    done(gao, "label", mode="replace", domain=["法律"])
    assert (reload(one).revision.domain, reload(one).revision.task_type["major"]) == (["法律"], ["问答"])


def test_what_somebody_holds_is_not_labelled_under_their_hands(gao: User, lin: User) -> None:
    held = record()
    claims.claim_next(by=lin)
    assert bulk.plan("label", Record.objects.all()) == (0, 1)
    with pytest.raises(Refused):
        done(gao, "label", mode="add", domain=["法律"])
    Claim.objects.all().delete()
    assert bulk.plan("label", Record.objects.filter(pk=held.pk)) == (1, 0)


def test_a_relabelled_record_is_found_by_its_labels(gao: User) -> None:
    one = record(domain=("通用",))
    done(gao, "label", mode="add", domain=["法律"])
    while search.index_next():
        pass
    assert list(search.labelled(Record.objects.all(), "domain", "法律")) == [one]


def test_rights_are_set_for_each_record_and_taken_back(gao: User, lin: User) -> None:
    one, two = record(), record()
    approve(two, lin)
    first = done(gao, "rights", licence="CC0-1.0", holder="甲", evidence="信")
    assert licences(one, two) == ["CC0-1.0", "CC0-1.0"]
    second = done(gao, "rights", licence="restricted")
    undone(gao, second)
    assert licences(one, two) == ["CC0-1.0", "CC0-1.0"]
    undone(gao, first)
    assert licences(one, two) == [None, None]
    assert [move.cause for move in Move.objects.filter(record=one)] == ["rights"] * 4


def test_sending_back_is_recorded_and_cannot_be_undone(gao: User, lin: User) -> None:
    one, _waiting = record(), record()
    approve(one, lin)
    action = done(gao, "send_back", reason="标签不对", to="reviewer")
    assert (reload(one).state, reload(one).assignee, reload(one).human_verified) == (State.WAITING, lin, False)
    assert action.changes.get().record_id == one.pk
    with pytest.raises(Refused):
        bulk.undo(by=gao, action=action)
    with pytest.raises(IntegrityError), transaction.atomic():
        BulkAction.objects.filter(pk=action.pk).update(state="undoing")


def test_there_is_no_bulk_approval(gao: User) -> None:
    record()
    assert set(bulk.VERBS) == {"assign", "prioritise", "label", "rights", "send_back"}
    with pytest.raises(Refused):
        bulk.start(by=gao, kind="approve", records=Record.objects.all(), parameters={})
    answer = signed_in(gao).post(NEW, {"kind": "approve", "which": "all", "asked": "", "confirmed": "yes"})
    assert answer.status_code == 422
    assert not Record.objects.exclude(verdict=None).exists()


def test_only_managers_act_and_only_on_their_sources(gao: User, lin: User, ruozhiba: Source) -> None:
    mine, other = record("ruozhiba"), record("mba")
    with pytest.raises(Refused):
        bulk.start(by=lin, kind="prioritise", records=Record.objects.all(), parameters={"priority": 1})
    assert signed_in(lin).post(NEW, {"kind": "prioritise", "which": "all"}).status_code == 403
    gao.sources.set([ruozhiba])
    done(User.objects.get(pk=gao.pk), "prioritise", priority=3)
    assert [reload(mine).priority, reload(other).priority] == [3, 0]


def test_an_action_that_was_lost_goes_on_where_it_stopped(gao: User, monkeypatch: pytest.MonkeyPatch) -> None:
    add_records("zhihu", [candidate() for _number in range(5)])
    monkeypatch.setattr(bulk, "PORTION", 2)
    action = bulk.start(by=gao, kind="prioritise", records=Record.objects.all(), parameters={"priority": 5})
    assert bulk._portion(action.pk)
    action.refresh_from_db()
    assert (action.position, Record.objects.filter(priority=5).count()) == (2, 2)
    assert bulk.unfinished() == [action.pk]
    tasks.sweep_bulk()
    tasks.run_bulk(action.pk)
    assert (Record.objects.filter(priority=5).count(), action.changes.count(), bulk.unfinished()) == (5, 5, [])


def test_what_was_decided_meanwhile_is_left_as_it_is(gao: User, lin: User) -> None:
    one, two = record(), record()
    action = bulk.start(by=gao, kind="prioritise", records=Record.objects.all(), parameters={"priority": 5})
    approve(one, lin)
    bulk.run(action.pk)
    assert [reload(one).priority, reload(two).priority] == [0, 5]
    assert action.changes.get().record_id == two.pk


def test_the_page_counts_first_and_acts_when_that_is_confirmed(gao: User, lin: User) -> None:
    one, two, decided = record("mba"), record("mba"), record("zhihu")
    approve(decided, lin)
    client = signed_in(gao)
    chosen = {"kind": "assign", "which": "ticked", "records": [one.pk, decided.pk]}
    page = client.post(NEW, chosen)
    assert page.status_code == 200
    assert page.context["plan"] == (1, 1)
    assert not BulkAction.objects.exists()
    answer = client.post(NEW, chosen | {"confirmed": "yes", "assignee": "lin"}, follow=True)
    assert answer.status_code == 200
    assert [reload(each).assignee for each in (one, two, decided)] == [lin, None, None]
    action = BulkAction.objects.get()
    assert f'href="/review/records/{one.pk}/"' in answer.content.decode()
    client.post(f"/review/bulk/{action.pk}/undo/")
    assert reload(one).assignee is None
    assert client.post(f"/review/bulk/{action.pk}/undo/").status_code == 409
    assert client.get("/review/bulk/").status_code == 200


def test_the_whole_filter_is_acted_on(gao: User) -> None:
    add_records("mba", [candidate() for _number in range(3)])
    other = record("zhihu")
    answer = signed_in(gao).post(
        NEW, {"kind": "prioritise", "which": "all", "asked": "source=mba", "confirmed": "yes", "priority": "4"}
    )
    assert answer.status_code == 303
    assert (Record.objects.filter(priority=4).count(), reload(other).priority) == (3, 0)
    assert BulkAction.objects.get().asked == "source=mba"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"kind": "assign"},
        {"kind": "assign", "which": "ticked"},
        {"kind": "assign", "which": "ticked", "records": ["x", "1e9", "-1", "9" * 30]},
        {"kind": "assign", "which": "all", "asked": "user__password=a"},
        {"kind": "assign", "which": "all", "asked": "source=nowhere"},
        {"kind": "label", "which": "all", "confirmed": "yes"},
        {"kind": "label", "which": "all", "confirmed": "yes", "mode": "add", "domain": "长" * 101},
        {"kind": "prioritise", "which": "all", "confirmed": "yes", "priority": "1e400"},
        {"kind": "rights", "which": "all", "confirmed": "yes", "licence": "CC0-1.0"},
        {"kind": "rights", "which": "all", "confirmed": "yes", "licence": "objected"},
        {"kind": "send_back", "which": "all", "confirmed": "yes", "reason": ""},
        {"kind": "assign", "which": "all", "confirmed": "yes", "assignee": "nobody-of-that-name"},
    ],
)
def test_what_is_incomplete_or_wrong_is_refused_with_a_sentence(gao: User, sent: dict[str, object]) -> None:
    record()
    answer = signed_in(gao).post(NEW, sent)
    assert answer.status_code == 422
    assert not BulkAction.objects.exists()
