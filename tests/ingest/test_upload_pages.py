import gzip
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from random import randbytes
from uuid import UUID

import pytest
import zstandard
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation
from pytest_django.fixtures import Settings

from ingest import jobs, keeping, pipeline, staging, workers
from ingest.models import Job
from ingest.readers import READERS
from ingest.staging import Staging
from ingest.workers import Workers
from review import rights
from review.models import Licence, Record, Rights, Source, User
from tests.ingest.pages import FAULTY, GOOD, HTMX, done, lines, sent, signed_in, submitted, text, upload

pytestmark = [pytest.mark.django_db]


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


def test_the_look_shows_what_every_rule_finds_before_the_import(gao: User) -> None:
    client = signed_in(gao)
    Source.objects.filter(slug="ruozhiba").update(rules={"trim_blanks": True})
    address = upload(client, sent(lines("天为什么蓝？", "请拨打13812345678。 \n好吗？")))
    trials = client.get(address).context["preview"].trials
    assert trials.records == 2
    assert trials.by_rule["phone_number"].number == 1
    assert trials.by_rule["trim_blanks"].number == 1
    page = text(client.get(f"{address}?rule=trim_blanks"))
    assert "1 of 2 records is concerned." in page
    assert not Record.objects.exists()


def test_samples_are_looked_at_without_losing_what_was_typed(gao: User) -> None:
    client = signed_in(gao)
    address = upload(client, sent(lines("天为什么蓝？", "请拨打13812345678。")))
    assert '<button class="link" name="rule" value="phone_number">' in text(client.get(address))
    said = {"source": "ruozhiba", "licence": "MIT", "holder": "甲", "mapping": '{"format": "alpaca"}'}
    answer = client.post(address, said | {"rule": "phone_number"})
    assert answer["Location"] == f"{address}?rule=phone_number#trials"
    page = client.get(answer["Location"])
    assert "1 of 2 records is concerned." in text(page)
    assert {name: page.context["form"][name].value() for name in said} == said
    assert client.post(address, said | {"rule": "no_such_rule&x"})["Location"] == address


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


def test_the_look_ends_where_enough_was_counted(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 2
    page = signed_in(gao).get(upload(signed_in(gao), sent(), sent(lines("风从哪里来？"), "b.jsonl")))
    assert page.context["preview"].counts["read"] == 2
    assert not page.context["preview"].is_whole
    assert [look.found.format for look in page.context["preview"].looks] == ["alpaca", "alpaca"]


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
    answer = signed_in(gao).post("/ingest/new/", {"holder": "丙", "uploads": [small, large], "source": "mba"})
    assert answer.status_code == 422
    assert "larger than 97.7\xa0KB together" in text(answer)
    assert 'value="丙"' in text(answer)
    assert '<option value="mba" selected>' in text(answer)
    assert not keeping.staged_root().exists()


def test_a_source_and_a_mapping_that_cannot_be_stored_are_none(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent())
    for asked in ({"source": "a\x00"}, {"source": "a\x00", "take": "竹"}, {"source": "ruozhiba", "take": "竹\x00"}):
        assert client.post("/ingest/new/", asked).status_code == 422
        assert client.post(key, asked).status_code == 303
        assert client.get(key).status_code == 200
        assert client.get(f"{key}?rule=a\x00").status_code == 200
    assert client.post(f"{key}submit/", {"source": "a\x00"}).status_code == 422
    assert client.post(f"{key}files/1/leave-out/", {"source": "a\x00"}).status_code == 303


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89PNG\r\n\x1a\n", "The file is PNG, not a file of records."),
        (b"PK\x03\x04", "The file is a ZIP archive."),
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


def test_formats_are_called_in_the_trouble_as_in_the_list_beside_it(gao: User) -> None:
    client = signed_in(gao)
    page = client.get(upload(client, sent(b'{"a": 1}\n')))
    names = [str(name) for value, name in page.context["form"].fields["format"].choices if value]
    assert len(names) == len(READERS)
    assert f"bring the records into one of these: {' · '.join(names)}." in page.context["preview"].looks[0].trouble


@pytest.mark.parametrize("kind", ["gzip", "Zstandard"])
def test_a_packed_file_that_is_cut_off_is_not_called_whole(kind: str, gao: User) -> None:
    client = signed_in(gao)
    whole = lines(*(f"第{number}问？{randbytes(2000).hex()}" for number in range(100)))
    packed = gzip.compress(whole) if kind == "gzip" else zstandard.compress(whole)
    page = client.get(upload(client, sent(packed[: len(packed) // 2], "trunc.jsonl")))
    preview = page.context["preview"]
    assert 0 < preview.counts["read"] == preview.looks[0].records < 100
    assert not preview.is_whole
    assert preview.is_readable
    assert f"The {kind} file is cut off. What stands before the cut is taken in;" in text(page)
    assert f"{preview.counts['read']} records stand before the break." in text(page)
    assert f"The first {preview.counts['read']} records: what would become of them" in text(page)
    job = done(client, sent(packed[: len(packed) // 2], "trunc.jsonl"))
    assert job.error_code == "archive_cut_off"
    assert Record.objects.filter(batch=job.batch).count() == preview.counts["new"]
    page = client.get(upload(client, sent(packed, "whole.jsonl")))
    assert page.context["preview"].is_whole
    assert "cut off" not in text(page)


def test_the_look_at_the_beginning_of_a_file_that_is_cut_off_says_so(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 5
    whole = lines(*(f"第{number}问？{randbytes(2000).hex()}" for number in range(100)))
    page = signed_in(gao).get(upload(signed_in(gao), sent(gzip.compress(whole)[:100_000])))
    assert "The gzip file is cut off." in text(page)
    assert "before the break" not in text(page)
    assert "The first 5 records" in text(page)


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


def test_refusals_name_their_file_where_there_are_several(gao: User) -> None:
    client = signed_in(gao)
    page = client.get(upload(client, sent(), sent(FAULTY, "b.jsonl")))
    assert [(file, refusal.line) for file, refusal in page.context["preview"].refusals] == [
        ("b.jsonl", 3),
        ("b.jsonl", 4),
    ]
    assert '<span class="name">b.jsonl</span> · Line 3' in text(page)
    assert '<span class="muted">Line 3</span>' in text(client.get(upload(client, sent(FAULTY))))


def test_several_files_are_one_job_and_leave_nothing_behind(gao: User) -> None:
    job = done(signed_in(gao), sent(), sent(lines("风从哪里来？"), "b.jsonl"))
    assert job.state == Job.State.DONE
    assert Record.objects.filter(batch=job.batch).count() == 3
    assert job.batch.name == "a.jsonl (+1)"
    assert job.by == gao
    left = [place.name for place in keeping.staged_root().rglob("*") if place.is_file()]
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
    decided = Rights.objects.get()
    assert job.batch.rights == decided
    assert (decided.licence, decided.holder, decided.evidence, decided.by) == (
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


def test_a_licence_said_to_be_unknown_is_warned_of(gao: User) -> None:
    client = signed_in(gao)
    rights.decide_rights(Source.objects.get(slug="ruozhiba"), by=gao, licence=Licence.MIT)
    assert "out of published releases" not in text(client.get(upload(client, sent())))
    assert "The rights of these files are unknown." in text(client.get(upload(client, sent(), licence="unknown")))
    job = submitted(client, sent(), licence="unknown", holder="某人")
    assert "Unknown: what is approved stays out of published releases." in text(client.get(f"/ingest/jobs/{job.pk}/"))


def test_a_source_whose_rights_are_unknown_is_warned_of(gao: User) -> None:
    client = signed_in(gao)
    rights.decide_rights(Source.objects.get(slug="ruozhiba"), by=gao, licence=Licence.UNKNOWN, holder="某人")
    assert "The rights of this source are not decided." in text(client.get(upload(client, sent())))
    job = submitted(client, sent())
    assert "Unknown: what is approved stays out of published releases." in text(client.get(f"/ingest/jobs/{job.pk}/"))


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
def test_a_strange_name_is_shown_escaped_and_names_no_file(
    name: str, gao: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(gao)
    file = SimpleUploadedFile("a", GOOD)
    monkeypatch.setattr(file, "_name", name)
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
    assert list(keeping.staged_root().iterdir()) == []


def test_files_that_were_discarded_in_another_tab_are_said_to_be_gone(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent())
    client.post(f"{key}discard/")
    for answer in (
        client.get(key),
        client.post(key, {"source": "ruozhiba"}),
        client.post(f"{key}submit/", {"source": "ruozhiba"}),
        client.post(f"{key}discard/"),
        client.post(f"{key}files/1/leave-out/", {"source": "ruozhiba"}),
    ):
        assert answer.status_code == 404
        assert "These files are not here any more" in text(answer)
        assert 'href="/ingest/new/"' in text(answer)
    assert not Job.objects.exists()


def test_files_that_were_imported_in_another_tab_lead_to_the_import(gao: User) -> None:
    client = signed_in(gao)
    key = upload(client, sent())
    job = client.post(f"{key}submit/", {"source": "ruozhiba"})["Location"]
    assert client.get(key)["Location"] == job
    for verb in ("submit/", "discard/", "files/1/leave-out/"):
        assert client.post(f"{key}{verb}", {"source": "ruozhiba"})["Location"] == job
        assert "These files are an import already." in text(client.get(job))
    staging.discard(Staging(UUID(key.split("/")[3]), gao.pk))
    assert client.get(key)["Location"] == job


def test_what_nobody_came_back_for_goes_after_a_day(gao: User) -> None:
    client = signed_in(gao)
    old, fresh = upload(client, sent()), upload(client, sent())
    folder = keeping.staged_root() / old.split("/")[3].replace("-", "")
    yesterday = time.time() - timedelta(days=1, minutes=1).total_seconds()
    os.utime(folder, (yesterday, yesterday))
    upload(client, sent())
    assert client.get(old).status_code == 404
    assert client.get(fresh).status_code == 200


def test_files_beyond_the_quota_are_refused_and_the_fields_are_kept(gao: User, settings: Settings) -> None:
    settings.INGEST_QUOTA_BYTES = 1000
    for language, said in (("en", "There is no room for more files"), ("zh-hans", "没有空间存放更多文件")):
        sending = {"uploads": [sent(b"x" * 5000)], "source": "mba", "holder": "甲", "licence": "MIT"}
        answer = signed_in(gao).post("/ingest/new/", sending, headers={"Accept-Language": language})
        assert answer.status_code == 409
        assert said in text(answer)
        assert 'value="甲"' in text(answer)
        assert '<option value="mba" selected>' in text(answer)
    assert keeping.used() == 0


def test_a_full_disk_is_said_and_nothing_is_left(gao: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_store", full)
    answer = signed_in(gao).post("/ingest/new/", {"uploads": [sent()], "source": "mba"})
    assert answer.status_code == 409
    assert "No space left on device" in text(answer)
    assert list(keeping.staged_root().iterdir()) == []


def test_htmx_is_led_on_and_swaps_what_is_wrong(gao: User) -> None:
    client = signed_in(gao)
    answer = client.post("/ingest/new/", {"uploads": [sent()], "source": "mba"}, headers=HTMX)
    assert answer["HX-Redirect"].startswith("/ingest/new/")
    wrong = client.post("/ingest/new/", {"source": "mba"}, headers=HTMX)
    assert text(wrong).strip().startswith('<div id="upload"')
    assert "HX-Request" in wrong["Vary"]
