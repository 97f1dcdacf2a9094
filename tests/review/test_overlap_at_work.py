"""Twelve reviewers and a settler work through a source by the pages, with second looks on a fifth of it."""

import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import krippendorff
import pytest
from django.test import Client
from django.urls import reverse

from review import overlap, quality
from review.models import Decision, Record, Role, Source, State, User
from review.text.draw import Looks, rank
from tests.conftest import person
from tests.factories import add_records, candidate
from tests.review.reviewing import address, form, signed_in
from tests.review.test_disputes import form as settling

pytestmark = [pytest.mark.django_db, pytest.mark.core]

REVIEWERS = 12
SEED, SHARE = "一粒种子", 20
IS_RECORD = re.compile(r"/review/records/(\d+)/")


@dataclass
class Worker:
    """A reviewer with a browser; `said` is what they decided, by record."""

    user: User
    client: Client
    chance: random.Random
    at: int | None = None
    said: dict[int, str] = field(default_factory=dict)

    def take(self) -> bool:
        """Take the next record; False when there is none."""
        self.go_on(self.client.post(reverse("review:next"))["Location"])
        return self.at is not None

    def go_on(self, location: str) -> None:
        found = IS_RECORD.search(location)
        self.at = int(found[1]) if found else None

    def decide(self) -> None:
        """Decide on the record before them, as people do: most are kept, some mended, some rejected."""
        assert self.at is not None
        assert self.at not in self.said, "nobody gets a record twice in one round"
        given = Record.objects.select_related("revision", "rights", "batch__rights", "source__rights").get(pk=self.at)
        assert given.revision.author_id != self.user.pk, "nobody judges their own wording"
        verdict = self.chance.choices(["keep", "edit", "reject", "escalate"], [80, 10, 8, 2])[0]
        changes = {
            "keep": {},
            "edit": {"output": given.revision.output + "（补充）"},
            "reject": {"verdict": "reject", "reason": "空话"},
            "escalate": {"verdict": "escalate", "question": "拿不准"},
        }[verdict]
        answer = self.client.post(address("decide", given), form(given, **changes))
        assert answer.status_code == 303, answer.content.decode()[:500]
        self.said[self.at] = verdict
        self.go_on(answer["Location"])


def work(number: int) -> tuple[list[Worker], set[int]]:
    """Import so many records and let everybody work until nothing is left; return them and what was drawn."""
    source, manager = Source.objects.get(slug="ruozhiba"), person("gao", Role.MANAGER)
    rule = Looks(seed=SEED)
    overlap.set_second_looks(by=manager, source=source, share=Decimal(SHARE), rule=rule)
    for start in range(0, number, 1000):
        add_records("ruozhiba", [candidate() for _ in range(min(1000, number - start))], licence="CC0-1.0")
    drawn = set(Record.objects.filter(wanted=2).values_list("pk", flat=True))
    workers = []
    for place in range(REVIEWERS):
        user = person(f"reviewer{place:02}", Role.REVIEWER)
        workers.append(Worker(user, signed_in(user), random.Random(place)))
    for worker in workers:
        worker.take()
    while any(worker.at is not None or worker.take() for worker in workers):
        for worker in workers:
            if worker.at is not None:
                worker.decide()
    return workers, drawn


def settle_half(number: int) -> int:
    """Settle every other dispute by the pages; return how many are left."""
    client = signed_in(person("settler", Role.SETTLER, Role.REVIEWER))
    for _ in range(number // 2):
        location = client.post(reverse("review:dispute-take"))["Location"]
        pk = int(location.rstrip("/").rpartition("/")[2])
        given = Record.objects.get(pk=pk)
        answer = client.post(reverse("review:dispute-settle", args=[pk]), settling(given, "original", reason="照原文"))
        assert answer.status_code == 303
        client.post(reverse("review:record-release", args=[int(answer["Location"].rstrip("/").rpartition("/")[2])]))
    return number - number // 2


def check(number: int) -> None:
    workers, drawn = work(number)
    keys = Record.objects.values_list("pk", "key")
    assert drawn == {pk for pk, key in keys if rank(SEED, bytes(key)) < SHARE / 100 * 2**64}
    looks = Counter(pk for worker in workers for pk in worker.said)
    escalated = {pk for worker in workers for pk, verdict in worker.said.items() if verdict == "escalate"}
    assert set(looks) == {pk for pk, _key in keys}, "none is lost"
    assert {pk for pk, times in looks.items() if times == 2} == drawn - {pk for pk in escalated if looks[pk] == 1}
    assert max(looks.values()) == 2
    per_round = Counter(Decision.objects.values_list("record", "round", "reviewer"))
    assert max(per_round.values()) == 1

    said: dict[int, list[str]] = defaultdict(list)
    for worker in workers:
        for pk, verdict in worker.said.items():
            said[pk].append(verdict)
    differing = {pk for pk, verdicts in said.items() if len(set(verdicts)) > 1 or "escalate" in verdicts}
    disputed = set(Record.objects.filter(state=State.DISPUTED).values_list("pk", flat=True))
    assert disputed == differing
    left = settle_half(len(disputed))
    settled = Decision.objects.filter(kind="settle").values_list("record", flat=True)
    assert Record.objects.filter(state=State.DISPUTED).count() == left
    assert set(settled) | set(Record.objects.filter(state=State.DISPUTED).values_list("pk", flat=True)) == disputed
    assert not Record.objects.filter(state__in=[State.WAITING, State.SECOND]).exists()

    pairs = [verdicts for verdicts in said.values() if len(verdicts) == 2 and "escalate" not in verdicts]
    codes = {"keep": 0, "edit": 0, "reject": 1}
    coded = [[codes[verdicts[place]] for verdicts in pairs] for place in (0, 1)]
    found = quality.agreement(quality.looks())
    assert found.looks == len(pairs)
    assert found.agreed == sum(one == other for one, other in pairs)
    if len({code for row in coded for code in row}) > 1:
        assert found.alpha_verdict == round(float(krippendorff.alpha(coded, level_of_measurement="nominal")), 4)


def test_a_fifth_is_looked_at_twice_and_nothing_is_lost() -> None:
    check(60)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_fifth_of_five_thousand_is_looked_at_twice_and_nothing_is_lost() -> None:
    check(5000)
