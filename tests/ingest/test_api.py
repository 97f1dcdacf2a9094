import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from ingest import jobs, mappings, pipeline
from ingest.mapping import parsed
from ingest.models import Job
from review.models import Licence, Retraction, Rights, Scope, Source, Token, User
from review.text.rules import RULES, Kind

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

pytestmark = [pytest.mark.django_db]

JOBS = "/api/v1/ingest/jobs/"
LINES = '{"instruction": "天为什么蓝？", "input": "", "output": "散射。"}\nnot json\n'.encode()


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait for the test to do them."""
    monkeypatch.setattr(jobs, "send", lambda _job_id: True)


def bearing(user: User, scopes: Iterable[str] = (Scope.INGEST_WRITE,)) -> Client:
    _token, secret = Token.objects.create(user=user, scopes=list(scopes))
    return Client(headers={"Authorization": f"Bearer {secret}", "Accept-Language": "en"})


def post(client: Client, content: bytes = LINES, **fields: Any) -> "_MonkeyPatchedWSGIResponse":
    return client.post(JOBS, {"source": "ruozhiba", "file": SimpleUploadedFile("a.jsonl", content)} | fields)


def test_a_file_is_sent_and_its_job_followed(gao: User) -> None:
    client = bearing(gao)
    answer = post(client, licence="MIT", holder="出题人")
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer["Location"] == f"{JOBS}{job.pk}/"
    assert answer.json()["state"] == "queued"
    assert job.batch.rights is not None
    assert (job.by, job.batch.rights.licence) == (gao, Licence.MIT)
    pipeline.run(job.pk)
    said = client.get(answer["Location"]).json()
    assert {name: said[name] for name in ("job", "state", "read", "new", "rejected", "percent")} == {
        "job": job.pk, "state": "done", "read": 2, "new": 1, "rejected": 1, "percent": 100,
    }  # fmt: skip
    assert client.get(JOBS).json() == {"jobs": [said], "next": None}


def test_evidence_is_kept_with_the_rights(gao: User) -> None:
    assert post(bearing(gao), licence="MIT", holder="出题人", evidence="来函，2026-03-01").status_code == 202
    assert Rights.objects.get().evidence == "来函，2026-03-01"


@pytest.mark.parametrize("name", ["license", "files", "mapping_name"])
def test_a_field_that_does_not_exist_is_refused_by_name(name: str, gao: User) -> None:
    answer = post(bearing(gao), **{name: "MIT"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"There is no field “{name}”. Known are: file, source, licence,")
    assert post(bearing(gao), more=SimpleUploadedFile("b.jsonl", LINES)).status_code == 400
    assert not Job.objects.exists()


def test_a_mapping_goes_with_the_files(gao: User) -> None:
    assert post(bearing(gao), mapping='{"instruction": "a", "output": "b"}').status_code == 202
    assert Job.objects.get().options == {"mapping": {"instruction": "a", "output": "b"}}


def test_a_mapping_that_is_kept_for_the_source_goes_by_its_name(gao: User) -> None:
    spec = {"instruction": "a", "output": "b"}
    mappings.keep(parsed(spec), source=Source.objects.get(slug="ruozhiba"), name="我的映射", by=gao)
    assert post(bearing(gao), mapping=" 我的映射 ").status_code == 202
    assert Job.objects.get().options == {"mapping": spec}
    answer = post(bearing(gao), mapping="他的映射")
    assert answer.status_code == 400
    assert answer.json()["mapping"].startswith("No mapping “他的映射” is kept for the source (there are: 我的映射)")
    assert post(bearing(gao), mapping="我的映射", source="mba").status_code == 400


def test_several_files_are_one_job(gao: User) -> None:
    files = [SimpleUploadedFile(name, LINES) for name in ("a.jsonl", "b.jsonl")]
    answer = bearing(gao).post(JOBS, {"source": "ruozhiba", "file": files})
    assert [file["name"] for file in answer.json()["files"]] == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    "fields",
    [
        {"source": ""},
        {"source": "nowhere"},
        {"file": ""},
        {"licence": "none"},
        {"format": "xml"},
        {"encoding": "klingon"},
        {"rules": "no-such-rule"},
        {"rules": "a\x00b"},
        {"mapping": "{"},
        {"mapping": "[]"},
        {"mapping": "映射\n二"},
        {"mapping": '{"instruction": 7}'},
        {"evidence": "x" * 2001, "licence": "MIT"},
        {"holder": "x" * 501},
        {"holder": "a\x00b"},
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(fields: dict[str, str], gao: User) -> None:
    sent: dict[str, Any] = {**fields}
    answer = post(bearing(gao), **sent)
    assert answer.status_code == 400
    assert answer.json()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The encoding klingon is not supported."), ("zh-hans", "不支持编码 klingon。")],
)
def test_an_encoding_that_is_not_supported_is_told_in_the_language_asked_for(
    language: str, sentence: str, gao: User
) -> None:
    client = bearing(gao)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    assert post(client, encoding="klingon").json()["encoding"].startswith(sentence)


def test_files_beyond_the_limit_are_refused(gao: User, settings: Settings) -> None:
    settings.INGEST_MAX_UPLOAD_BYTES = 10
    assert post(bearing(gao)).status_code == 413
    assert not Job.objects.exists()


def test_a_token_of_another_scope_or_none_is_refused(gao: User, client: Client) -> None:
    other = bearing(gao, [Scope.EXPORT_READ])
    assert [other.get(JOBS).status_code, post(other).status_code] == [403, 403]
    assert [client.get(JOBS).status_code, post(client).status_code] == [401, 401]
    client.force_login(gao)
    assert post(client).status_code == 401


def test_a_token_reaches_no_further_than_its_person(gao: User, lin: User, law_gee: Source) -> None:
    assert post(bearing(lin)).status_code == 403
    client = bearing(gao)
    job = post(client).json()["job"]
    gao.sources.set([law_gee])
    assert client.get(f"{JOBS}{job}/").status_code == 404
    assert client.get(JOBS).json()["jobs"] == []
    assert post(client).status_code == 400


def test_other_requests_are_refused_as_json(gao: User) -> None:
    client = bearing(gao)
    assert client.get(f"{JOBS}999999/").status_code == 404
    assert client.get(f"{JOBS}?before=1e9999").status_code == 400
    assert client.delete(JOBS).status_code == 405
    answer = client.post(JOBS, json.dumps({"source": "ruozhiba"}), content_type="application/json")
    assert answer.status_code == 415
    assert client.post(JOBS, b"\xff", content_type="multipart/form-data; boundary=x").status_code == 400
    assert answer.headers["Content-Type"] == "application/json"


def test_too_much_at_once_is_refused_as_json(gao: User) -> None:
    client = bearing(gao)
    files = [SimpleUploadedFile(f"{number}.jsonl", b"x") for number in range(150)]
    fields = {f"field-{number}": "x" for number in range(1500)}
    for sent, sentence in (
        ({"file": files}, "at most 100 files"),
        (fields, "at most 1000 fields"),
        ({"source": "x" * 6_000_000}, "cannot be read"),
    ):
        answer = client.post(JOBS, sent)
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json")
        assert sentence in answer.json()["detail"]
    assert not Job.objects.exists()


def test_a_page_is_refused_as_a_page(gao: User) -> None:
    client = Client()
    client.force_login(gao)
    answer = client.post("/ingest/new/", {f"field-{number}": "x" for number in range(1500)})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_an_import_is_paused_resumed_and_cancelled(gao: User, lin: User) -> None:
    client = bearing(gao)
    address = post(client).headers["Location"]
    assert client.post(f"{address}pause/").json()["state"] == "paused"
    assert client.post(f"{address}pause/").status_code == 409
    assert client.post(f"{address}resume/").json()["state"] == "queued"
    assert client.post(f"{address}cancel/", "{", content_type="application/json").json()["state"] == "cancelled"
    assert client.post(f"{address}cancel/").status_code == 409
    assert client.get(f"{address}cancel/").status_code == 405
    assert bearing(lin).post(f"{address}resume/").status_code == 403
    assert client.post(f"{JOBS}999999/pause/").status_code == 404


def test_a_file_that_cannot_be_read_is_named(gao: User) -> None:
    client = bearing(gao)
    address = post(client, "问题,问题,答案\n花为什么香？,香不香？,为了引来昆虫。\n".encode()).headers["Location"]
    pipeline.run(Job.objects.get().pk)
    assert client.get(address).json()["error"].startswith("a.jsonl: Two columns are called 问题.")


def test_an_import_that_was_taken_back_says_when(gao: User) -> None:
    client = bearing(gao)
    address = post(client).headers["Location"]
    pipeline.run(Job.objects.get().pk)
    assert client.get(address).json()["retracted_at"] is None
    retraction = jobs.retract(Job.objects.get(), by=gao)
    said = client.get(address).json()
    assert (said["state"], said["new"]) == ("done", 1)
    assert datetime.fromisoformat(said["retracted_at"]) == Retraction.objects.get(pk=retraction.pk).at
    assert client.get(JOBS).json()["jobs"] == [said]


def test_rules_are_switched_on_for_an_import(gao: User) -> None:
    names = [rule.id for rule in RULES.values() if rule.kind != Kind.FLAG][:2]
    answer = post(bearing(gao), rules=f" {names[0]}, {names[1]},")
    assert answer.status_code == 202
    assert Job.objects.get().rules == sorted(names)
