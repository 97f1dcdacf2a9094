"""Every address that a reviewer can ask for: a record that wants two looks answers like one that wants one."""

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from review import blind, claims, comments, decisions, golds, inspections, search
from review.models import Decision, Record, Role, State, User, Verdict
from review.refused import Refused
from tests.addresses import addresses, filled, row_of
from tests.conftest import person
from tests.factories import approve, judgement, record
from tests.review.reviewing import HTMX, reload, signed_in
from tests.review.test_inspections import draw, say

pytestmark = [pytest.mark.django_db, pytest.mark.core]

OWN, OTHER, FIRST = "林的新写法，只此一处。", "梅的另一种写法，别处没有。", "起初的写法，谁都看得见。"
QUERIES = [
    *(f"state={name}" for name in ("unanswered", "waiting", "disputed", "approved", "rejected", "undecided")),
    *("verified=yes", "verified=no", "near=on", "sort=oldest", "reach=nowhere", "licence=objected"),
    *(f"q={words}" for words in ("林的新写法", "梅的另一种", "起初的写法")),
    *("major=新标签", "answer_from=expert", "longest=11"),
]


@contextmanager
def another_world() -> Iterator[None]:
    """What is done here is undone, the numbers that were given out too: the next one begins where this one began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'")
        numbers = cursor.fetchall()
    with transaction.atomic():
        cache.clear()
        yield
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        for schema, name, last in numbers:
            cursor.execute("SELECT setval(%s::regclass, %s, %s)", [f'{schema}."{name}"', last or 1, last is not None])


def told(page: Any) -> str:
    """What an answer says, without what differs from one request to the next."""
    text = f"{page.status_code} {page.headers.get('Location', '')}\n{page.content.decode()}"
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text)
    text = re.sub(r'nonce="[^"]*"|datetime="[^"]*"', "", text)
    text = re.sub(r'(name="(?:csrfmiddlewaretoken|started)" value=)"[^"]*"', r"\1", text)
    text = re.sub(r"line \d+", "", text)  # where a record stood in its file
    return re.sub(r"\d+ seconds?|data-draft-at=\"\d+\"|\d\d?:\d\d( [ap]\.m\.)?", "", text)


def walk(client: Client, given: Record) -> dict[str, str]:
    """Ask for everything that a reviewer may, and return what each address answers."""
    parameters = {
        "/review/records/": {"pk": given.pk},
        "/review/guidelines/": {"slug": "ruozhiba"},
        "/review/sources/": {"slug": "ruozhiba", "pk": given.batch_id},
        "/": {"pk": given.pk, "slug": "ruozhiba", "uidb36": "x", "key": "x", "version": "1", "path": "x"},
    }
    seen = {}
    for each in addresses():
        row = row_of(each)
        if (
            row is None
            or "GET" not in row.allowed.get("reviewer", ())
            or each.address.startswith(("/account", "/healthz", "/readyz", "/metrics"))
        ):
            continue
        try:
            address = filled(each.address, parameters)
        except KeyError:
            continue
        seen[address] = told(client.get(address))
        if each.address.startswith("/review/records/"):
            seen[f"{address} (htmx)"] = told(client.get(address, headers=HTMX))
    for query in QUERIES:
        seen[query] = told(client.get(reverse("review:records"), query_params=dict([query.split("=")])))
    seen["choose"] = told(client.get(reverse("review:queue"), {"choose": ""}))
    return seen


def walks(person: User, *builds: Callable[[Record], Any]) -> list[dict[str, str]]:
    """Walk through two worlds: one where a record wants one look, and one where it wants two."""
    seen = []
    for wanted, build in enumerate(builds, 1):
        with another_world():
            given = record("ruozhiba", instruction="问其一", output=FIRST)
            record("ruozhiba", instruction="问其二", output="另一条，与此无关。")
            Record.objects.filter(pk=given.pk).update(wanted=wanted)
            build(reload(given))
            while search.index_next():
                pass
            seen.append(walk(signed_in(person), reload(given)))
    return seen


def same(one: dict[str, str], other: dict[str, str]) -> None:
    assert len(one) > 35
    assert one.keys() == other.keys()
    found = []
    for address, said in one.items():
        lines = list(difflib.unified_diff(said.split("\n"), other[address].split("\n"), lineterm="", n=0))
        found += ["", address, *(line[:300] for line in lines)] if lines else []
    assert not found, "\n".join(found)


SAID: dict[str, Callable[[Record], decisions.Judgement]] = {
    "approve": judgement,
    "edit": lambda given: judgement(given, output=OWN, major=("新标签",), answer_from="expert"),
    "object": lambda given: judgement(given, rights=decisions.SaidOfRights(said=Decision.RightsSaid.OBJECT)),
    "reject": lambda given: judgement(given, Verdict.REJECT, reason="空话"),
}


@pytest.mark.parametrize(("said", "is_disputed"), [("object", False), ("edit", True), ("reject", True)])
def test_after_the_own_look(said: str, is_disputed: bool, lin: User, mei: User) -> None:  # noqa: FBT001  a parameter
    """Whether nobody else has looked, or somebody has and said otherwise: as if the own look were the only one."""

    def alone(given: Record) -> None:
        decisions.decide(by=lin, record=given.pk, judgement=SAID[said](given))

    def disputed(given: Record) -> None:
        alone(given)
        comments.add_comment(by=mei, record=given, text="梅说：别处没有。")
        claims.claim_record(by=mei, record=given)
        decisions.decide(by=mei, record=given.pk, judgement=judgement(given, output=OTHER))
        assert reload(given).state == State.DISPUTED

    same(*walks(lin, alone, disputed if is_disputed else alone))


@pytest.mark.parametrize("said", ["edit"])
def test_before_the_second_look(said: str, lin: User, mei: User) -> None:
    def first_look(given: Record) -> None:
        comments.add_comment(by=lin, record=given, text="林说：别处没有。")
        decisions.decide(by=lin, record=given.pk, judgement=SAID[said](given))
        assert reload(given).state == State.SECOND
        claims.claim_record(by=mei, record=reload(given))

    same(*walks(mei, lambda given: claims.claim_record(by=mei, record=given), first_look))


def test_whoever_has_no_part_in_a_dispute_does_not_learn_of_it(lin: User, mei: User, shen: User) -> None:
    """A record about which two reviewers differ answers like one that lies before somebody else."""
    stranger = person("he", Role.REVIEWER)

    def lies_before_another(given: Record) -> None:
        claims.claim_record(by=shen, record=given)
        Record.objects.filter(pk=given.pk).update(assignee=shen)  # so that it waits for nobody else

    def disputed(given: Record) -> None:
        dispute(given, lin, mei)
        claims.claim_record(by=shen, record=reload(given))
        Record.objects.filter(pk=given.pk).update(assignee=shen)

    same(*walks(stranger, lies_before_another, disputed))


def dispute(given: Record, one: User, other: User) -> None:
    decisions.decide(by=one, record=given.pk, judgement=judgement(given, output=OWN))
    comments.add_comment(by=one, record=given, text="林说：别处没有。")
    decisions.decide(by=other, record=given.pk, judgement=judgement(given, output=OTHER))
    assert reload(given).state == State.DISPUTED


def test_a_dispute_is_refused_like_what_somebody_else_holds(lin: User, mei: User, gao: User) -> None:
    stranger = person("he", Role.REVIEWER)
    held, disputed = record(output="一"), record(output="二")
    claims.claim_record(by=gao, record=held)
    Record.objects.filter(pk=disputed.pk).update(wanted=2)
    dispute(reload(disputed), lin, mei)
    for verb in (
        lambda given: claims.claim_record(by=stranger, record=reload(given)),
        lambda given: decisions.decide(by=stranger, record=given.pk, judgement=judgement(reload(given))),
    ):
        assert refusal(verb, disputed) == refusal(verb, held)
    assert not disputed.claims.filter(reviewer=stranger).exists()


def refusal(verb: Callable[[Record], Any], given: Record) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        verb(given)
    return str(refused.value), refused.value.ground


@pytest.mark.parametrize("wanted", [2, 3])
def test_deciding_again_on_what_became_disputed_is_refused_in_the_same_words(wanted: int, lin: User, mei: User) -> None:
    alone, doubled = record(output="一"), record(output="二")
    approve(alone, lin)
    Record.objects.filter(pk=doubled.pk).update(wanted=wanted)
    approve(reload(doubled), lin)
    decisions.decide(by=mei, record=doubled.pk, judgement=judgement(doubled, Verdict.ESCALATE, reason="？"))
    assert reload(doubled).state == State.DISPUTED
    for verb in (
        lambda given: approve(reload(given), lin),
        lambda given: claims.claim_record(by=lin, record=blind.as_seen_by(lin, reload(given))),
    ):
        assert refusal(verb, doubled) == refusal(verb, alone)


def test_deciding_again_is_refused_in_the_same_words(lin: User) -> None:
    refusals = []
    for wanted in (1, 2):
        given = record()
        Record.objects.filter(pk=given.pk).update(wanted=wanted)
        approve(reload(given), lin)
        with pytest.raises(Refused) as refused:
            approve(reload(given), lin)
        refusals.append((str(refused.value), refused.value.ground))
    assert refusals[0] == refusals[1]


def test_gold_is_like_any_other(lin: User, mei: User, shen: User) -> None:
    def gold(given: Record) -> None:
        Record.objects.filter(pk=given.pk).update(wanted=1)
        approve(given, lin, output=OWN)
        golds.mark(by=shen, record=reload(given), reason="看清楚")
        claims.claim_gold(by=mei, record=given.pk)

    same(*walks(mei, lambda given: claims.claim_record(by=mei, record=given), gold))


@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.REJECT])
def test_nobody_notices_that_their_work_is_inspected(verdict: Verdict, lin: User, gao: User, shen: User) -> None:
    def decided(given: Record) -> None:
        Record.objects.update(wanted=1)
        approve(given, lin, output=OWN)
        approve(Record.objects.exclude(pk=given.pk).get(), lin)

    def inspected(given: Record) -> None:
        decided(given)
        inspection = draw(gao, sample_size=2, acceptance=1)
        say(shen, inspection.lot.get(record=given), verdict, "看得太快")
        assert inspections.progress(inspection).inspected == 1

    same(*walks(lin, decided, inspected))
