"""A long random life of the whole, through pages, API and administration: what is marked verified stays proven.

Hundreds of operations here; ten thousand with `pytest -m slow`. A failure names the seed and the operation.
"""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from exports.tokens import create_token
from ingest import pipeline
from ingest.models import Job
from review import proof, retractions, sealing, sending_back
from review.models import Batch, Claim, Decision, Record, Scope, Source, State, Takedown, User
from review.refused import Refused
from tests.factories import add_records, candidate
from tests.review.reviewing import form

EXPECTED = {200, 204, 302, 303, 400, 403, 404, 409, 422}
"""What a page may answer here; anything else is a failure."""
VERDICTS = ("approve", "approve", "approve", "approve", "reject", "rewrite", "escalate")
RIGHTS_SAID = ("confirm", "confirm", "set", "object")


class Life:
    """A few people who do this and that, by chance and yet the same for the same seed."""

    def __init__(self, seed: int, *, reviewers: list[User], settler: User, manager: User) -> None:
        self.chance = Random(seed)
        self.people = {user: self._client(user) for user in (*reviewers, settler, manager)}
        self.reviewers, self.settler, self.manager = reviewers, settler, manager
        _token, secret = create_token(user=manager, scopes=[Scope.INGEST_WRITE])
        self.api = Client(headers={"authorization": f"Bearer {secret}"})
        self.done: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()

    @staticmethod
    def _client(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def live(self, operations: int) -> None:
        """Do so many things, and see from time to time whether everything is proven."""
        for number in range(operations):
            names, weights = zip(*self.WEIGHTS.items(), strict=True)
            name = self.chance.choices(names, weights)[0]
            self.done[name] += 1
            getattr(self, name)()
            if number % 25 == 24:
                assert list(proof.unproven()) == [], f"operation {number}: {name}"

    WEIGHTS: ClassVar = {
        "take": 20,
        "decide": 40,
        "undo": 10,
        "settle": 8,
        "skip": 2,
        "release": 2,
        "decide_late": 4,
        "decide_rights": 4,
        "send_back": 4,
        "ask_takedown": 3,
        "end_takedown": 4,
        "forge": 4,
        "administer": 4,
        "upload": 2,
        "retract": 1,
        "change_roles": 2,
    }

    def post(self, user: User, address: str, data: dict[str, Any] | None = None) -> Any:
        answer = self.people[user].post(address, data or {})
        self.answers[answer.status_code] += 1
        assert answer.status_code in EXPECTED, (address, data, answer.status_code)
        return answer

    def take(self) -> None:
        self.post(self.chance.choice([*self.reviewers, self.settler]), "/review/next/")

    def decide(self) -> None:
        claim = self._one(Claim.objects.exclude(reviewer=self.settler).select_related("reviewer").order_by("pk"))
        if claim:
            self._decide(claim.reviewer, claim.record_id)

    def settle(self) -> None:
        disputed = self._one(Record.objects.live().filter(state=State.DISPUTED).order_by("pk"))
        if disputed:
            self.post(self.settler, f"/review/records/{disputed.pk}/claim/")
            self._decide(self.settler, disputed.pk)

    def decide_late(self) -> None:
        """Decide on a record that one holds or not, open or not, seen as it is or was."""
        given = self._one(Record.objects.order_by("pk"))
        if given:
            self._decide(self.chance.choice(self.reviewers), given.pk, is_late=self.chance.random() < 0.5)

    def _decide(self, user: User, pk: int, *, is_late: bool = False) -> None:
        given = Record.objects.select_related("revision").get(pk=pk)
        changes: dict[str, Any] = {"rights_said": self.chance.choice(RIGHTS_SAID), "licence": "CC-BY-4.0"}
        changes |= {"holder": "某人", "reason": self.chance.choice(["", "不好"])}
        if self.chance.random() < 0.4:
            changes["output"] = f"{given.revision.output}又改了{self.chance.randrange(5)}。"
        if is_late:
            changes["seen_revision"] = given.revision_id - 1
        verdict = self.chance.choice(VERDICTS)
        said = form(given, verdict, **changes)
        self.post(user, f"/review/records/{pk}/decide/", said)
        if self.chance.random() < 0.1:
            self.post(user, f"/review/records/{pk}/decide/", said)  # the same request again

    def undo(self) -> None:
        made = self._one(Decision.objects.filter(withdrawal=None).order_by("pk"))
        if made:
            users = [made.reviewer, self.chance.choice(self.reviewers)]
            self.post(self.chance.choice(users), f"/review/decisions/{made.pk}/undo/")

    def skip(self) -> None:
        claim = self._one(Claim.objects.select_related("reviewer").order_by("pk"))
        if claim:
            self.post(claim.reviewer, f"/review/records/{claim.record_id}/skip/", {"reason": "以后"})

    def release(self) -> None:
        claim = self._one(Claim.objects.select_related("reviewer").order_by("pk"))
        if claim:
            self.post(claim.reviewer, f"/review/records/{claim.record_id}/release/")

    def decide_rights(self) -> None:
        given = self._one(Record.objects.select_related("rights").order_by("pk"))
        if given:
            licence = self.chance.choice(["MIT", "restricted", "unknown", "CC0-1.0"])
            said = {"licence": licence, "evidence": "来函", "confirmed": "on", "seen": given.rights_id or ""}
            pages = [f"/review/records/{given.pk}/rights/", "/review/sources/ruozhiba/rights/"]
            pages += [f"/review/rights/{given.pk}/overrule/", f"/review/rights/{given.pk}/uphold/"]
            self.post(self.manager, self.chance.choice(pages), said)

    def send_back(self) -> None:
        given = self._one(Record.objects.order_by("pk"))
        if given:
            try:
                sending_back.send_back(by=self.manager, records=[given.pk], reason="再看一次")
            except Refused:
                self.answers[409] += 1

    def ask_takedown(self) -> None:
        given = self._one(Record.objects.order_by("pk"))
        if given:
            listed = SimpleUploadedFile("list.txt", f"#{given.pk}\n".encode())
            said = {"requester": "权利人", "ground": "著作权", "listed": listed}
            self.post(self.manager, "/review/takedowns/new/", said)

    def end_takedown(self) -> None:
        takedown = self._one(Takedown.objects.order_by("pk"))
        if takedown:
            verb = self.chance.choice(["confirm", "confirm", "reverse", "reverse", "erase"])
            self.post(self.manager, f"/review/takedowns/{takedown.pk}/{verb}/", {"number": str(takedown.pk)})

    def forge(self) -> None:
        """Ask for what no page gives: to be verified, approved, somebody else."""
        given = self._one(Record.objects.select_related("revision").order_by("pk"))
        if given:
            said = form(given, "approve") | {"human_verified": "true", "state": "approved", "reviewer": "1"}
            user = self.chance.choice([*self.reviewers, self.settler, self.manager])
            self.post(user, f"/review/records/{given.pk}/decide/", said)
            self.post(self.manager, f"/admin/review/record/{given.pk}/change/", {"state": "approved", "verdict": "1"})

    def administer(self) -> None:
        kinds = {"kind": "domain", "name": f"领域{self.chance.randrange(9)}"}
        self.post(self.manager, "/admin/review/label/add/", kinds)

    def upload(self) -> None:
        lines = [
            {"instruction": f"上传的第{self.chance.randrange(40)}问", "output": f"回答{self.chance.randrange(3)}。"}
            for _ in range(4)
        ]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        file = SimpleUploadedFile("more.jsonl", content)
        answer = self.api.post("/api/v1/ingest/jobs/", {"source": "ruozhiba", "file": file})
        assert answer.status_code in {202, 400}, answer.content
        for job in Job.objects.filter(state="queued"):
            pipeline.run(job.pk)

    def retract(self) -> None:
        batch = self._one(Batch.objects.filter(retraction=None).exclude(name="kept").order_by("pk"))
        if batch:
            retractions.retract(batch, by=self.manager, reason="错了")

    def change_roles(self) -> None:
        """Take a reviewer's role away, and give it back the next time."""
        user = self.reviewers[-1]
        has = user.groups.filter(name="reviewer").exists()
        roles = [] if has else ["reviewer"]
        self.post(self.manager, f"/review/people/{user.pk}/change-roles/", {"roles": roles})
        if not roles:
            user.groups.set(Group.objects.filter(name__in=roles))

    def _one(self, found: Any) -> Any:
        rows = list(found[:400])
        return self.chance.choice(rows) if rows else None


def live(operations: int, seed: int, people: dict[str, Any]) -> Life:
    for source, number in (("ruozhiba", 25), ("law-gee", 15)):
        batch = add_records(source, [candidate() for _ in range(number)], licence="CC-BY-4.0")
        Batch.objects.filter(pk=batch.pk).update(name="kept")
    Record.objects.filter(source__slug="law-gee").update(wanted=2)
    life = Life(seed, **people)
    life.live(operations)
    return life


@pytest.fixture
def people(lin: User, mei: User, shen: User, gao: User, settings: Settings, tmp_path: Path) -> dict[str, Any]:
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    settings.CELERY_TASK_ALWAYS_EAGER = False
    third = User.objects.create(username=f"ning{uuid4().hex[:4]}")
    third.groups.set(Group.objects.filter(name="reviewer"))
    return {"reviewers": [lin, mei, third], "settler": shen, "manager": gao}


def check(life: Life) -> None:
    done = proof.prove()
    assert (done.problems, done.records) == (0, [])
    assert Record.objects.filter(state=State.APPROVED).count() == done.verified > 0
    assert min(life.done[name] for name in ("decide", "undo", "end_takedown", "forge")) > 0
    sealing.seal()
    assert list(sealing.verify()) == []
    assert life.answers[303] + life.answers[302] + life.answers[200] > life.answers.total() / 4
    assert Source.objects.filter(slug="ruozhiba").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_few_hundred_operations_everything_is_proven(seed: int, people: dict[str, Any]) -> None:
    check(live(200, seed, people))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_after_ten_thousand_operations_everything_is_proven(people: dict[str, Any]) -> None:
    check(live(10_000, 7, people))
