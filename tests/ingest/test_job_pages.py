import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http.response import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django.fixtures import Settings

from ingest import jobs, pipeline, staging, workers
from ingest.models import Job
from ingest.workers import Workers
from review.models import Licence, Record, Retraction, Rights, Source, User
from tests.factories import approve

pytestmark = [pytest.mark.django_db]

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Pages in the language of their source, so that sentences can be named here."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait for the test to do them, and nobody asks a worker that is not there."""
    monkeypatch.setattr(jobs, "send", lambda _job_id: True)
    monkeypatch.setattr(workers, "_asked", lambda: Workers.READY)


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def lines(*instructions: str, **more: Any) -> bytes:
    return b"".join(
        json.dumps({"instruction": text, "input": "", "output": f"答：{text}"} | more, ensure_ascii=False).encode()
        + b"\n"
        for text in instructions
    )


GOOD = lines("天为什么蓝？", "海为什么咸？")
FAULTY = GOOD + b'{"instruction": "", "output": "x"}\n' + b"not json\n" + lines("草为什么绿？", colour="green")


def sent(content: bytes = GOOD, name: str = "a.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload(client: Client, *files: SimpleUploadedFile, **fields: str) -> str:
    """Send files and return the address at which they are looked at."""
    answer = client.post("/ingest/new/", {"files": list(files), "source": "ruozhiba"} | fields)
    assert answer.status_code == 303
    return str(answer["Location"])


def submitted(client: Client, *files: SimpleUploadedFile, **fields: str) -> Job:
    said = {"source": "ruozhiba"} | fields
    answer = client.post(upload(client, *files, **fields) + "submit/", said)
    assert answer.status_code == 303
    job = Job.objects.latest("pk")
    assert answer["Location"] == reverse("ingest:job", args=[job.pk])
    return job


def done(client: Client, *files: SimpleUploadedFile, **fields: str) -> Job:
    job = submitted(client, *files, **fields)
    pipeline.run(job.pk)
    job.refresh_from_db()
    return job


def text(answer: Any) -> str:
    return str(answer.content.decode())


# Who may


@pytest.mark.parametrize("name", ["lin", "shen", "tao"])
def test_only_managers_get_in(name: str, request: pytest.FixtureRequest, gao: User) -> None:
    key = upload(signed_in(gao), sent())
    job = done(signed_in(gao), sent())
    client = signed_in(request.getfixturevalue(name))
    pages = ["/ingest/", "/ingest/new/", key, f"/ingest/jobs/{job.pk}/", f"/ingest/jobs/{job.pk}/rejects/"]
    pages += [f"/ingest/jobs/{job.pk}/cancel/confirm/", f"/ingest/jobs/{job.pk}/retract/confirm/"]
    assert {client.get(page).status_code for page in pages} == {403}
    actions = ["/ingest/new/", key, f"{key}submit/", f"{key}discard/", f"{key}files/1/leave-out/"]
    actions += [f"/ingest/jobs/{job.pk}/{verb}/" for verb in ("cancel", "resume", "retract")]
    assert {client.post(action).status_code for action in actions} == {403}
    assert b"/ingest/" not in client.get("/").content


def test_a_stranger_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/ingest/").status_code == 302
    assert client.post("/ingest/new/", {"files": [sent()]}).status_code == 302
    assert not staging.root().exists()


@pytest.mark.parametrize("verb", ["cancel", "resume", "retract"])
def test_nothing_is_done_by_get(verb: str, gao: User) -> None:
    client = signed_in(gao)
    job = submitted(client, sent())
    assert client.get(f"/ingest/jobs/{job.pk}/{verb}/").status_code == 405
    assert client.head(f"/ingest/jobs/{job.pk}/{verb}/").status_code == 405
    key = upload(client, sent())
    assert client.get(f"{key}submit/").status_code == 405
    assert client.get(f"{key}discard/").status_code == 405
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED


def test_a_form_without_token_is_refused_and_stores_nothing(gao: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(gao)
    assert client.post("/ingest/new/", {"files": [sent()], "source": "ruozhiba"}).status_code == 403
    assert not staging.root().exists()


def test_a_manager_limited_to_sources_sees_no_other_job(gao: User, law_gee: Source) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    gao.sources.set([law_gee])
    assert client.get(f"/ingest/jobs/{job.pk}/").status_code == 404
    assert client.post(f"/ingest/jobs/{job.pk}/retract/").status_code == 404
    assert b"a.jsonl" not in client.get("/ingest/").content
    page = client.get("/ingest/new/")
    assert b'value="law-gee"' in page.content
    assert b'value="ruozhiba"' not in page.content
    assert client.post(f"{upload(client, sent())}submit/", {"source": "ruozhiba"}).status_code == 422


def test_what_one_sent_is_nobody_elses(gao: User, django_user_model: type[User]) -> None:
    key = upload(signed_in(gao), sent())
    other = django_user_model.objects.create(username="hu")
    other.groups.set(gao.groups.all())
    assert signed_in(other).get(key).status_code == 404
    assert signed_in(other).post(f"{key}submit/").status_code == 404
    assert not Job.objects.exists()


# Upload and look


def test_the_sources_stand_under_their_categories(gao: User) -> None:
    page = text(signed_in(gao).get("/ingest/new/?source=ruozhiba"))
    assert page.count("<optgroup") == 8
    assert '<option value="ruozhiba" selected>' in page


def test_files_are_looked_at_before_anything_is_imported(gao: User) -> None:
    client = signed_in(gao)
    page = client.get(upload(client, sent(FAULTY, "问.jsonl")))
    assert not Job.objects.exists()
    assert not Record.objects.exists()
    preview = page.context["preview"]
    assert preview.looks[0].found.format == "alpaca"
    assert preview.counts == {
        "read": 5,
        "new": 3,
        "rejected": 2,
        "dropped": 0,
        "changed": 0,
        "unchanged": 0,
        "duplicate": 0,
    }
    assert preview.unknown_keys == {"colour": 1}
    assert [item.candidate.instruction for item in preview.candidates] == [
        "天为什么蓝？",
        "海为什么咸？",
        "草为什么绿？",
    ]
    said = text(page)
    assert "问.jsonl" in said
    assert "草为什么绿？" in said
    assert "colour" in said


def test_the_look_counts_what_is_here_already(gao: User) -> None:
    client = signed_in(gao)
    done(client, sent())
    counts = client.get(upload(client, sent(GOOD + lines("新的一问？")))).context["preview"].counts
    assert (counts["unchanged"], counts["new"]) == (2, 1)


def test_the_look_shows_no_more_than_the_beginning(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 30
    client = signed_in(gao)
    page = client.get(upload(client, sent(lines(*(f"第{number}问？" for number in range(40))))))
    assert page.context["preview"].counts["read"] == 30
    assert len(page.context["preview"].candidates) == 20
    assert "The first 30 records" in text(page)


def test_without_a_source_the_files_are_kept_and_the_source_is_asked_for(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(), source="", holder="甲", licence="MIT")
    page = client.get(key)
    assert "Choose the source that the files come from." in text(page)
    assert page.context["form"]["holder"].value() == "甲"
    assert client.post(f"{key}submit/", {"source": ""}).status_code == 422
    assert client.post(f"{key}submit/", {"source": "ruozhiba"}).status_code == 303
    assert Job.objects.count() == 1


def test_without_files_the_fields_are_kept(gao: User) -> None:
    answer = signed_in(gao).post("/ingest/new/", {"source": "mba", "holder": "乙", "licence": "MIT"})
    assert answer.status_code == 422
    assert "Choose one file or several." in text(answer)
    assert 'value="乙"' in text(answer)
    assert '<option value="mba" selected>' in text(answer)


def test_files_beyond_the_limit_are_refused_and_the_fields_are_kept(gao: User, settings: Settings) -> None:
    settings.INGEST_MAX_UPLOAD_BYTES = 100_000
    small, large = sent(b"x" * 60_000, "small"), sent(b"x" * 60_000, "large")
    answer = signed_in(gao).post("/ingest/new/", {"holder": "丙", "files": [small, large], "source": "mba"})
    assert answer.status_code == 422
    assert "larger than 97.7\xa0KB together" in text(answer)
    assert 'value="丙"' in text(answer)
    assert '<option value="mba" selected>' in text(answer)
    assert not staging.root().exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89PNG\r\n\x1a\n", "The file is PNG, not a file of records."),
        (b"\x1f\x8b\x08", "The file is a gzip archive."),
        (b'{"a": 1}\n', "the first has the keys: a."),
        (
            ("问题：天为什么是蓝色的？回答：因为散射。" * 9).encode("gb18030"),
            "It looks like gb18030: choose that encoding",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_is_not_imported(content: bytes, sentence: str, gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(content), holder="丁", licence="MIT")
    page = client.get(key)
    assert sentence in text(page)
    assert "--" not in text(page).split("<main")[1].replace("<!--", "").split("</main")[0]
    assert page.context["form"]["holder"].value() == "丁"
    assert client.post(f"{key}submit/", {"source": "ruozhiba"}).status_code == 422
    assert not Job.objects.exists()


def test_another_encoding_is_one_click_away(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(GOOD.decode().encode("gb18030")))
    assert 'name="read_as" value="gb18030"' in text(client.get(key))
    assert client.post(key, {"source": "ruozhiba", "read_as": "gb18030"})["Location"] == key
    page = client.get(key)
    assert page.context["preview"].looks[0].found.encoding == "gb18030"
    assert page.context["preview"].candidates[0].candidate.instruction == "天为什么蓝？"


def test_one_of_several_files_can_be_left_out(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(), sent(b"\x89PNG\r\n\x1a\n", "b.png"))
    assert client.post(f"{key}submit/", {"source": "ruozhiba"}).status_code == 422
    assert client.post(f"{key}files/2/leave-out/", {"source": "ruozhiba"}).status_code == 303
    assert client.post(f"{key}submit/", {"source": "ruozhiba"}).status_code == 303
    assert [upload.name for upload in Job.objects.get().uploads.all()] == ["a.jsonl"]


def test_several_files_are_one_job_and_leave_nothing_behind(gao: User) -> None:
    job = done(signed_in(gao), sent(), sent(lines("风从哪里来？"), "b.jsonl"))
    assert job.state == Job.State.DONE
    assert Record.objects.filter(batch=job.batch).count() == 3
    assert job.batch.name == "a.jsonl (+1)"
    assert job.by == gao
    left = [place.name for place in staging.root().rglob("*") if place.is_file()]
    assert left == [staging.ABOUT]


def test_a_second_submit_leads_to_the_same_job(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent())
    first, second = (client.post(f"{key}submit/", {"source": "ruozhiba"}) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert client.get(key)["Location"] == first["Location"]
    assert Job.objects.count() == 1


def test_licence_holder_and_evidence_become_the_rights_of_the_import(gao: User) -> None:
    job = submitted(signed_in(gao), sent(), licence=Licence.CC_BY, holder="出题人", evidence="来函，2026-03-01")
    rights = Rights.objects.get()
    assert job.batch.rights == rights
    assert (rights.licence, rights.holder, rights.evidence, rights.by) == (
        Licence.CC_BY,
        "出题人",
        "来函，2026-03-01",
        gao,
    )


def test_a_holder_without_licence_asks_for_one(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(), holder="某人")
    answer = client.post(f"{key}submit/", {"source": "ruozhiba", "holder": "某人"})
    assert answer.status_code == 422
    assert "Choose the licence that goes with it" in text(answer)


def test_no_licence_leaves_the_rights_to_the_source(gao: User) -> None:
    assert submitted(signed_in(gao), sent()).batch.rights is None


def test_an_empty_file_becomes_a_job_of_nothing(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent(b""))
    assert "holds no records" in text(client.get(key))
    assert client.post(f"{key}submit/", {"source": "ruozhiba"}).status_code == 303
    job = Job.objects.get()
    pipeline.run(job.pk)
    assert "The files hold no records." in text(client.get(f"/ingest/jobs/{job.pk}/"))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\r\nSet-Cookie:x.jsonl", "字" * 300, "CON", "\u202egpj.jsonl", "<img src=x>.jsonl"]
)
def test_a_strange_name_is_shown_escaped_and_names_no_file(name: str, gao: User) -> None:
    client = signed_in(gao)
    file = SimpleUploadedFile("a", GOOD)
    file._name = name
    with translation.override("en"):
        found = staging.stage([file], by=gao, said={"source": "ruozhiba"})
    page = text(client.get(reverse("ingest:staged", args=[found.key])))
    assert "<img src=x>" not in page
    assert "\u202e" not in page
    assert {place.name for place in found.folder.iterdir()} == {"1", staging.ABOUT}
    job = staging.submit(
        found, by=gao, source=Source.objects.get(slug="ruozhiba"), said={"format": "", "encoding": "", "licence": ""}
    )
    assert job.uploads.get().name.isprintable()
    assert len(job.uploads.get().name) <= 200


def test_record_text_is_text(gao: User) -> None:
    client = signed_in(gao)
    page = text(client.get(upload(client, sent(lines("<script>alert(1)</script>{{7*7}}")))))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page


def test_discarding_forgets_the_files(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent())
    assert client.post(f"{key}discard/")["Location"] == "/ingest/"
    assert client.get(key).status_code == 404
    assert list(staging.root().iterdir()) == []


def test_what_nobody_came_back_for_goes_after_a_day(gao: User) -> None:
    client = signed_in(gao)
    old, fresh = upload(client, sent()), upload(client, sent())
    folder = staging.root() / old.split("/")[3].replace("-", "")
    yesterday = time.time() - timedelta(days=1, minutes=1).total_seconds()
    os.utime(folder, (yesterday, yesterday))
    upload(client, sent())
    assert client.get(old).status_code == 404
    assert client.get(fresh).status_code == 200


def test_a_full_disk_is_said_and_nothing_is_left(gao: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_store", full)
    answer = signed_in(gao).post("/ingest/new/", {"files": [sent()], "source": "mba"})
    assert answer.status_code == 409
    assert "No space left on device" in text(answer)
    assert list(staging.root().iterdir()) == []


def test_htmx_is_led_on_and_swaps_what_is_wrong(gao: User) -> None:
    client = signed_in(gao)
    answer = client.post("/ingest/new/", {"files": [sent()], "source": "mba"}, headers=HTMX)
    assert answer["HX-Redirect"].startswith("/ingest/new/")
    wrong = client.post("/ingest/new/", {"source": "mba"}, headers=HTMX)
    assert text(wrong).strip().startswith('<div id="upload"')
    assert "HX-Request" in wrong["Vary"]


# Jobs


def test_an_empty_list_invites_to_import(gao: User) -> None:
    page = text(signed_in(gao).get("/ingest/"))
    assert "Nothing was imported yet" in page
    assert 'href="/ingest/new/"' in page


def test_the_list_goes_on_by_keys(gao: User, django_assert_max_num_queries: Any) -> None:
    client = signed_in(gao)
    made = [
        jobs.submit(source=Source.objects.get(slug="mba"), files=[("a.jsonl", BytesIO(GOOD))], by=gao)
        for _ in range(27)
    ]
    with django_assert_max_num_queries(15):
        first = client.get("/ingest/")
    assert [job.pk for job, _progress in first.context["rows"]] == [job.pk for job in reversed(made[2:])]
    second = client.get(f"/ingest/?before={first.context['following']}")
    assert [job.pk for job, _progress in second.context["rows"]] == [made[1].pk, made[0].pk]
    assert second.context["following"] is None
    for before in ("1e9999", "-1", "9" * 30, "x"):
        assert len(client.get("/ingest/", {"before": before}).context["rows"]) == 25


def test_the_counts_of_a_job_add_up(gao: User) -> None:
    client = signed_in(gao)
    done(client, sent(lines("风从哪里来？")))
    job = done(client, sent(FAULTY + GOOD + lines("风从哪里来？")))
    page = client.get(f"/ingest/jobs/{job.pk}/")
    numbers = {count.name: count.number for count in page.context["counts"]}
    assert numbers == {"new": 3, "changed": 0, "unchanged": 1, "duplicate": 2, "dropped": 0, "rejected": 2}
    assert page.context["job"].read == sum(numbers.values()) == 8
    assert page.context["progress"].percent == 100
    assert "colour" in text(page)


def test_rejects_are_shown_with_reasons_and_can_be_downloaded(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent(FAULTY))
    page = client.get(f"/ingest/jobs/{job.pk}/")
    assert [(reject.line, reject.offset) for reject in page.context["rejects"]] == [(3, len(GOOD)), (4, len(GOOD) + 35)]
    assert page.context["rejects"][0].message in text(page)
    answer = client.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Disposition"] == f'attachment; filename="rejects-{job.pk}.jsonl"'
    entries = [json.loads(line) for line in b"".join(answer).splitlines()]
    assert [entry["line"] for entry in entries] == [3, 4]


def test_rejects_of_a_stopped_job_can_be_downloaded(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 4
    client = signed_in(gao)
    job = submitted(client, sent(FAULTY))
    assert client.get(f"/ingest/jobs/{job.pk}/rejects/").status_code == 404
    pipeline.run(job.pk, should_stop=lambda: True)
    jobs.cancel(job, by=gao)
    answer = client.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert isinstance(answer, StreamingHttpResponse)
    assert len(b"".join(answer).splitlines()) == 2


def test_a_job_without_rejects_has_no_file_of_them(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    assert client.get(f"/ingest/jobs/{job.pk}/rejects/").status_code == 404


def test_the_page_asks_again_until_the_job_has_ended(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 1
    client = signed_in(gao)
    job = submitted(client, sent())
    address = f"/ingest/jobs/{job.pk}/"
    waiting = text(client.get(address, headers=HTMX))
    assert 'hx-trigger="every 1s"' in waiting
    assert "waits for a worker" in waiting
    pipeline.run(job.pk, should_stop=lambda: True)
    Job.objects.filter(pk=job.pk).take()
    half = client.get(address, headers=HTMX)
    assert "reads a.jsonl, past line 1" in text(half)
    assert 0 < half.context["progress"].percent < 100
    assert 'id="report"' not in text(half)
    Job.objects.filter(pk=job.pk).queue()
    pipeline.run(job.pk)
    ended = text(client.get(address, headers=HTMX))
    assert "hx-trigger" not in ended
    assert ended.count("hx-swap-oob") == 3
    assert ended.strip().startswith('<section id="live"')


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (Workers.ABSENT, "No worker is running."),
        (Workers.UNREACHABLE, "The queue does not answer."),
        (Workers.READY, None),
    ],
)
def test_a_job_that_waits_says_whether_anybody_is_there(
    state: Workers, sentence: str | None, gao: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.cache.delete(workers.CACHE_KEY)
    monkeypatch.setattr(workers, "_asked", lambda: state)
    client = signed_in(gao)
    job = submitted(client, sent())
    assert 'class="notice warn" role="status"' not in text(client.get(f"/ingest/jobs/{job.pk}/"))
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(seconds=9))
    for address in (f"/ingest/jobs/{job.pk}/", "/ingest/"):
        page = text(client.get(address))
        assert (sentence in page) if sentence else ('class="notice warn" role="status"' not in page)
    workers.cache.delete(workers.CACHE_KEY)


def test_a_job_behind_another_says_so(gao: User) -> None:
    client = signed_in(gao)
    first, second = submitted(client, sent()), submitted(client, sent())
    Job.objects.filter(pk=first.pk).take()
    Job.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(seconds=9))
    assert "The workers do another import first" in text(client.get(f"/ingest/jobs/{second.pk}/"))


def test_a_failed_job_says_why_and_can_go_on(gao: User) -> None:
    client = signed_in(gao)
    job = jobs.submit(source=Source.objects.get(slug="mba"), files=[("x.png", BytesIO(b"\x89PNG\r\n\x1a\n"))], by=gao)
    pipeline.run(job.pk)
    page = text(client.get(f"/ingest/jobs/{job.pk}/"))
    assert "x.png: The file is PNG, not a file of records." in page
    assert client.post(f"/ingest/jobs/{job.pk}/resume/").status_code == 303
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED


def test_stopping_is_confirmed_on_a_page_that_says_what_it_means(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 1
    client = signed_in(gao)
    job = submitted(client, sent())
    pipeline.run(job.pk, should_stop=lambda: True)
    page = text(client.get(f"/ingest/jobs/{job.pk}/cancel/confirm/"))
    assert "1 record was read, 1 of it new" in page
    answer = client.post(f"/ingest/jobs/{job.pk}/cancel/")
    assert (answer.status_code, answer["Location"]) == (303, f"/ingest/jobs/{job.pk}/")
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert "The job is stopped." in text(client.get(answer["Location"]))
    assert client.get(f"/ingest/jobs/{job.pk}/cancel/confirm/").status_code == 303
    again = client.post(f"/ingest/jobs/{job.pk}/cancel/")
    assert again.status_code == 409
    assert "This job has ended already." in text(again)
    assert client.post(f"/ingest/jobs/{job.pk}/resume/").status_code == 303
    pipeline.run(job.pk)
    assert Record.objects.filter(batch=job.batch).count() == 2


def test_taking_back_is_confirmed_on_a_page_with_counts(gao: User, lin: User) -> None:
    client = signed_in(gao)
    job = done(client, sent(GOOD + lines("草为什么绿？")))
    approve(
        Record.objects.filter(batch=job.batch).earliest("pk"),
        lin,
        domain=("百科",),
        minor=("问答",),
        answer_from="human",
    )
    page = client.get(f"/ingest/jobs/{job.pk}/retract/confirm/")
    found = page.context["consequences"]
    assert found.records == 3
    assert dict(found.states) == {"waiting": 2, "approved": 1}
    assert "3 records leave the queue" in text(page)
    answer = client.post(f"/ingest/jobs/{job.pk}/retract/", {"reason": "误传"})
    assert answer.status_code == 303
    retraction = Retraction.objects.get()
    assert (retraction.by, retraction.reason) == (gao, "误传")
    assert not Record.objects.filter(batch=job.batch, retraction=None).exists()
    page = client.get(answer["Location"])
    assert "Taken back by gao" in text(page)
    assert "误传" in text(page)
    assert "taken back" in text(client.get("/ingest/"))
    assert client.get(f"/ingest/jobs/{job.pk}/retract/confirm/").status_code == 303
    assert client.post(f"/ingest/jobs/{job.pk}/retract/").status_code == 409
    assert client.post(f"/ingest/jobs/{job.pk}/resume/").status_code == 409


def test_a_reason_beyond_the_limit_is_asked_for_again(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    assert client.post(f"/ingest/jobs/{job.pk}/retract/", {"reason": "长" * 2001}).status_code == 422
    assert not Retraction.objects.exists()


def test_real_files_are_recognised(gao: User, shared_data: Path) -> None:
    client = signed_in(gao)
    content = (shared_data / "finished" / "ruozhiba.jsonl").read_bytes()
    page = client.get(upload(client, sent(content, "ruozhiba.jsonl")))
    found = page.context["preview"].looks[0].found
    assert (found.format, found.container, found.encoding) == ("cqia", "jsonl", "utf-8")
    assert len(page.context["preview"].candidates) == 20
