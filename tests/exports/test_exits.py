"""Every way out, under every policy: what must not leave does not, whatever is asked for.

`make exits` runs it with 10,000 records; in every test run there is one for each reason to leave or not to, and one
test with a thousand.
"""

import json
import os
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pyarrow import parquet
from pytest_django import Settings

from exports import releases
from exports.models import Policy, Release
from exports.options import FORMATS
from review import retractions, rights, sealing, takedowns
from review.decisions import SaidOfRights
from review.models import Batch, Decision, Licence, Record, User
from review.tracing import Asked
from tests.exports.conftest import Approved, approve_waiting, policy
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

STREAM = "/api/v1/export/records.jsonl"
FEED = "/api/v1/export/changes.jsonl"
FORBIDDEN = {"objected-by-a-reviewer", "taken-down", "retracted", Licence.RESTRICTED.value, Licence.OBJECTED.value}
UNKNOWN = {"nobody-has-decided", Licence.UNKNOWN.value}
ALL = {*Licence.values, "nobody-has-decided", "objected-by-a-reviewer", "retracted", "taken-down"}
MIXED_RECORDS = int(os.environ.get("MIXED_RECORDS", "0"))
EACH = MIXED_RECORDS // len(ALL) or 1
"""Records for each reason to leave or not to."""


def mark(name: str) -> str:
    """What stands in the text of a record, and nowhere else."""
    return f"〔{name}〕"


def marked(name: str, licence: str | None) -> Batch:
    lines = [
        candidate(output=f"{mark(name)}的回答，第{number}个。", external_id=f"{name}-{number}")
        for number in range(EACH)
    ]
    return add_records("ruozhiba", lines, licence=licence)


@pytest.fixture
def mixed(lin: User) -> None:
    """A record under every licence, and one for every other reason not to leave; all of them approved."""
    for licence in Licence.values:
        marked(licence, licence)
    marked("nobody-has-decided", None)
    for objected in Record.objects.filter(batch=marked("objected-by-a-reviewer", "CC0-1.0")):
        approve(objected, lin, rights=SaidOfRights(Decision.RightsSaid.OBJECT))
    retracted, taken = marked("retracted", "CC0-1.0"), marked("taken-down", "CC0-1.0")
    approve_waiting(lin)
    retractions.retract(retracted, by=None)
    gone = tuple(Record.objects.filter(batch=taken).values_list("pk", flat=True))
    takedown = takedowns.request(by=None, requester="某人", ground="著作权", asked=Asked(records=gone))
    takedowns.confirm(takedown, by=None)
    sealing.seal()


def names_in(content: bytes) -> set[str]:
    """Name the records whose text these bytes hold, in any writing."""
    text = content.decode("utf-8", "replace")
    return {name for name in ALL if mark(name) in text or json.dumps(mark(name))[1:-1] in text}


def files_hold(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            found |= names_in(str(parquet.read_table(path).to_pylist()).encode())
        elif path.is_file():
            found |= names_in(path.read_bytes())
    return found


def check(found: set[str], used: Policy) -> None:
    assert not found & FORBIDDEN
    assert used.is_internal or not found & UNKNOWN
    assert found == {name for name in Licence.values if name in used.licences} | (
        {"nobody-has-decided"} if Licence.UNKNOWN in used.licences else set()
    )


@pytest.fixture(params=["open", "research", "internal", "widest", "widest-internal"])
def used(request: pytest.FixtureRequest, mixed: None) -> Policy:
    """Every policy that is shipped, and the widest that can be made of either sort."""
    licences = sorted(set(Licence.values) - Licence.never_leaving())
    if request.param == "widest":
        return Policy.objects.create(
            slug="widest", name_zh="宽", name_en="wide", licences=[name for name in licences if name != Licence.UNKNOWN]
        )
    if request.param == "widest-internal":
        return Policy.objects.create(slug="wi", name_zh="宽", name_en="wide", licences=licences, is_internal=True)
    return policy(request.param)


def body(client: Client, address: str) -> bytes:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer) if answer.streaming else answer.content


def test_by_rest(used: Policy, insider: Client, consumer: Client) -> None:
    check(names_in(body(insider, f"{STREAM}?policy={used.slug}")), used)
    if used.is_internal:
        assert consumer.get(f"{STREAM}?policy={used.slug}").status_code == 403
    for licence in sorted(Licence.never_leaving()):
        answer = insider.get(f"{STREAM}?policy={used.slug}&licence={licence}")
        assert answer.status_code == 400 or names_in(b"".join(answer)) == set()


def test_by_feed(used: Policy, insider: Client) -> None:
    check(names_in(body(insider, f"{FEED}?policy={used.slug}")), used)


def test_by_command_in_every_format(used: Policy, insider: Client, tmp_path: Path) -> None:
    out = StringIO()
    words = ["export_release", "v1", "--out", str(tmp_path / "copy"), "--policy", used.slug, "--json"]
    call_command(*words, "--format", ",".join(FORMATS), stdout=out, stderr=StringIO())
    check(files_hold(tmp_path / "copy"), used)
    said = json.loads(out.getvalue().splitlines()[-1])
    assert said["records"] + sum(said["held_back"].values()) == EACH * len(ALL)
    paths = Release.objects.get().artifacts.exclude(path__endswith=".parquet").values_list("path", flat=True)
    served = [body(insider, f"/api/v1/releases/v1/files/{path}") for path in paths]
    check(set().union(*map(names_in, served)), used)


def test_by_page(used: Policy, gao: User, settings: Settings) -> None:
    settings.ROOT_URLCONF = "cqia_site.urls"
    client = Client()
    client.force_login(gao)
    planned = releases.plan(policy=used, options=releases.options())
    assert planned.total + sum(planned.reasons.values()) == EACH * len(ALL)
    assert planned.total % EACH == 0
    shown = client.get(f"/exports/new/?version=v1&policy={used.slug}")
    assert shown.status_code == 200
    assert names_in(shown.content) == set()


def test_no_policy_can_be_made_that_lets_them_out(gao: User, settings: Settings) -> None:
    settings.ROOT_URLCONF = "cqia_site.urls"
    client = Client()
    client.force_login(gao)
    said = {"slug": "sly", "name_zh": "宽", "name_en": "wide"}
    for licence in sorted(Licence.never_leaving()):
        answer = client.post("/exports/policies/new/", said | {"licences": ["MIT", licence], "is_internal": "on"})
        assert answer.status_code == 422
    assert client.post("/exports/policies/new/", said | {"licences": ["MIT", "unknown"]}).status_code == 422
    assert not Policy.objects.filter(slug="sly").exists()
    assert client.post("/exports/policies/new/", said | {"licences": ["MIT"]}).status_code == 303
    assert client.post("/exports/policies/new/", said | {"licences": ["MIT"]}).status_code == 422
    answer = client.post("/exports/policies/sly/", said | {"slug": "other", "licences": ["MIT", "CC0-1.0"]})
    assert answer.status_code == 303
    assert Policy.objects.get(slug="sly").licences == ["CC0-1.0", "MIT"]
    assert client.get("/exports/policies/").status_code == 200


def test_many_records_of_mixed_rights(approved: Approved, consumer: Client, lin: User) -> None:
    """The release holds exactly the permitted ones, and what is held back adds up to the rest."""
    kinds = [*Licence.values, None]
    total = MIXED_RECORDS or 1000
    numbers = Counter({licence: total // len(kinds) for licence in kinds})
    numbers[None] += total - numbers.total()
    for licence, number in numbers.items():
        add_records("ruozhiba", [candidate(metadata=str(licence)) for _ in range(number)], licence=licence)
    approve_waiting(lin)
    used = policy("open")
    release, _is_new = releases.obtain(version="v1", policy=used, options=releases.options(), by=None)
    permitted = {licence: number for licence, number in numbers.items() if licence in used.licences}
    assert release.records == sum(permitted.values())
    released = Counter(release.rows.values_list("revision__metadata", flat=True))
    assert released == Counter({str(licence): number for licence, number in permitted.items()})
    held = Counter(release.held_back["ruozhiba"])
    assert held.total() + release.records == total
    assert held["rights-unknown"] == numbers[None] + numbers["unknown"]
    assert held["rights-restricted"] == numbers["restricted"]
    assert held["rights-objected"] == numbers["objected"]
    rights.decide_rights(Record.objects.filter(state="approved")[0].source, by=None, licence="CC0-1.0")
    assert releases.plan(policy=used, options=releases.options()).total == release.records + numbers[None]
