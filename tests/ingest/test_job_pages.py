import json
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from ingest import jobs, keeping, pipeline, preview, thresholds, workers
from ingest.management.commands.ingest import _notices
from ingest.mapping import parsed
from ingest.models import Job
from ingest.readers import CONTAINERS
from ingest.templatetags.ingest_tags import CONTAINERS as CONTAINER_WORDS
from ingest.templatetags.ingest_tags import STAGES, container_word
from ingest.workers import Workers
from review.models import Record, Retraction, Source, User
from review.models.score import REASONS as UNSCORED
from review.text.rules import RULES
from tests.factories import approve
from tests.ingest.importing import imported
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
    assert client.post("/ingest/new/", {"uploads": [sent()]}).status_code == 302
    assert not keeping.staged_root().exists()


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
    assert client.post("/ingest/new/", {"uploads": [sent()], "source": "ruozhiba"}).status_code == 403
    assert not keeping.staged_root().exists()


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


# Jobs


def test_an_empty_list_invites_to_import(gao: User) -> None:
    page = text(signed_in(gao).get("/ingest/"))
    assert "Nothing was imported yet" in page
    assert 'href="/ingest/new/"' in page


def test_the_list_goes_on_by_keys(gao: User, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
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


def test_the_flags_of_a_job_are_counted_once_it_has_ended(gao: User, lin: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 2
    client = signed_in(gao)
    numbers = [f"请拨打1381234567{number}。" for number in range(3)]
    done(client, sent(lines("风从哪里来？请拨打13812345678。")))
    job = submitted(client, sent(lines(*numbers, "作为AI语言模型，我没有意见。")))
    pipeline.run(job.pk, should_stop=lambda: True)
    Job.objects.filter(pk=job.pk).take()
    assert not client.get(f"/ingest/jobs/{job.pk}/").context["flags"]
    Job.objects.filter(pk=job.pk).queue()
    pipeline.run(job.pk)
    decided = Record.objects.filter(batch=job.batch).earliest("pk")
    approve(decided, lin, output="请拨打13912345678。", domain=("百科",), minor=("问答",), answer_from="human")
    page = client.get(f"/ingest/jobs/{job.pk}/")
    assert dict(page.context["flags"])["phone_number"] == 3
    assert dict(page.context["flags"])["model_voice"] == 1
    assert "Flagged, by rule" in text(page)


def test_the_page_of_a_job_takes_as_many_queries_for_many_records_as_for_one(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 2
    client = signed_in(gao)

    def queries(job: Job) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/ingest/jobs/{job.pk}/").status_code == 200
        return len(captured)

    queries(done(client, sent(lines("天为什么蓝？请拨打13812345678。"))))  # fetches what is cached from then on
    few = queries(done(client, sent(lines("海为什么咸？请拨打13812345678。"))))
    many = done(client, sent(lines(*(f"第{number}问？请拨打13812345678。" for number in range(9)))))
    assert queries(many) == few <= 13


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        *STAGES.items(),
        ("drop_model_voice", RULES["drop_model_voice"].english),
        ("gone_since", "gone_since"),
    ],
)
def test_a_job_says_in_a_sentence_why_records_were_dropped(reason: str, sentence: object, gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    job.chunks.update(dropped=1, dropped_because={reason: 1})
    page = text(client.get(f"/ingest/jobs/{job.pk}/"))
    with translation.override("en"):
        assert f'<th scope="row">{sentence}</th>' in page
    assert set(STAGES) == set(thresholds.STAGES)


def test_a_job_says_in_words_what_has_no_score(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    reasons = [*UNSCORED, "http_418"]
    job.chunks.update(tally={"score": {f"unscored: {reason}": 1 for reason in reasons}})
    page = text(client.get(f"/ingest/jobs/{job.pk}/"))
    assert "unscored: the model had failed too often" in page
    assert "unscored: the model&#x27;s server answered 418" in page
    assert not [reason for reason in reasons if reason in page]


def test_scores_stand_in_the_order_of_numbers(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent())
    job.chunks.update(tally={"score": {"unscored: no_score": 5, "10": 4, "7": 3, "unscored: given_up": 2, "9": 1}})
    scores = client.get(f"/ingest/jobs/{job.pk}/").context["scores"]
    assert scores == [("7", 3), ("9", 1), ("10", 4), ("unscored: given_up", 2), ("unscored: no_score", 5)]
    assert "Quality scores: 7 (3), 9 (1), 10 (4), unscored: given_up (2), unscored: no_score (5)." in _notices(job)


def test_every_container_has_a_name() -> None:
    assert set(CONTAINER_WORDS) == set(CONTAINERS)
    assert container_word("rejects.gz") == "rejects that come back, gzip"


def test_rejects_are_shown_with_reasons_and_can_be_downloaded(gao: User) -> None:
    client = signed_in(gao)
    job = done(client, sent(FAULTY))
    page = client.get(f"/ingest/jobs/{job.pk}/")
    assert [(reject.line, reject.offset) for reject in page.context["rejects"]] == [(3, len(GOOD)), (4, len(GOOD) + 35)]
    assert page.context["rejects"][0].message in text(page)
    answer = client.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert answer["Content-Disposition"] == f'attachment; filename="rejects-{job.pk}.jsonl"'
    entries = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert [entry["line"] for entry in entries] == [3, 4]


def test_rejects_of_a_stopped_job_can_be_downloaded(gao: User, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 4
    client = signed_in(gao)
    job = submitted(client, sent(FAULTY))
    assert client.get(f"/ingest/jobs/{job.pk}/rejects/").status_code == 404
    pipeline.run(job.pk, should_stop=lambda: True)
    jobs.cancel(job, by=gao)
    answer = client.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert len(answer.getvalue().splitlines()) == 2


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
    assert '<div id="course" class="report" hx-swap-oob="true">' in text(half)
    assert "Started" in text(half)
    assert "JSONL" in text(half)
    assert "Started" not in waiting
    assert "hx-swap-oob" not in text(client.get(address))
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
    cache.delete(workers.CACHE_KEY)
    monkeypatch.setattr(workers, "_asked", lambda: state)
    client = signed_in(gao)
    job = submitted(client, sent())
    assert 'class="notice warn" role="status"' not in text(client.get(f"/ingest/jobs/{job.pk}/"))
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(seconds=9))
    for address in (f"/ingest/jobs/{job.pk}/", "/ingest/"):
        page = text(client.get(address))
        assert (sentence in page) if sentence else ('class="notice warn" role="status"' not in page)
    cache.delete(workers.CACHE_KEY)


def test_a_job_behind_another_says_so(gao: User) -> None:
    client = signed_in(gao)
    first, second = submitted(client, sent()), submitted(client, sent())
    Job.objects.filter(pk=first.pk).take()
    Job.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(seconds=9))
    assert "The workers do another import first" in text(client.get(f"/ingest/jobs/{second.pk}/"))


def failed(gao: User, content: bytes, name: str = "a.jsonl") -> Job:
    job = jobs.submit(source=Source.objects.get(slug="mba"), files=[(name, BytesIO(content))], by=gao)
    pipeline.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    return job


PNG = b"\x89PNG\r\n\x1a\n"
GO_ON, UPLOAD_AGAIN = "Go on with it", "Upload again"


def test_a_job_that_can_never_be_read_says_why_and_is_not_offered_to_go_on(gao: User) -> None:
    page = text(signed_in(gao).get(f"/ingest/jobs/{failed(gao, PNG, 'x.png').pk}/"))
    assert "x.png: The file is PNG, not a file of records." in page
    assert GO_ON not in page
    assert f'<a class="button primary" href="/ingest/new/?source=mba">{UPLOAD_AGAIN}</a>' in page


def test_a_job_over_a_file_in_another_encoding_leads_to_an_upload_with_that(gao: User) -> None:
    client = signed_in(gao)
    job = failed(gao, ("问题：天为什么是蓝色的？回答：因为散射。" * 9).encode("gb18030"))
    page = text(client.get(f"/ingest/jobs/{job.pk}/"))
    assert "It looks like gb18030: upload it again with that encoding." in page
    assert "look again" not in page
    assert GO_ON not in page
    assert 'href="/ingest/new/?source=mba&amp;encoding=gb18030"' in page
    again = client.get("/ingest/new/?source=mba&encoding=gb18030")
    assert '<option value="gb18030" selected>' in text(again)


@pytest.mark.parametrize("code", sorted(preview.ON_A_JOB))
def test_a_page_about_an_import_offers_no_choice_that_it_has_not(code: str, gao: User) -> None:
    job = failed(gao, PNG)
    told = dict.fromkeys(("guess", "line", "byte", "number", "foreign", "encoding", "keys", "known"), "gb18030")
    Job.objects.filter(pk=job.pk).update(error_code=code, error_parameters=told)
    page = text(signed_in(gao).get(f"/ingest/jobs/{job.pk}/"))
    assert "pload it again" in page
    assert "--" not in page.split("<main")[1].replace("<!--", "").split("</main")[0]


def test_a_job_whose_disk_can_be_mended_is_offered_to_go_on(gao: User) -> None:
    client = signed_in(gao)
    job = failed(gao, PNG)
    for code, parameters in (("disk", {"trouble": "x"}), ("cannot_open", {"name": "a.jsonl", "reason": "x"})):
        Job.objects.filter(pk=job.pk).update(error_code=code, error_parameters=parameters)
        assert GO_ON in text(client.get(f"/ingest/jobs/{job.pk}/"))
    job.uploads.update(removed_at=timezone.now())
    page = text(client.get(f"/ingest/jobs/{job.pk}/"))
    assert GO_ON not in page
    assert UPLOAD_AGAIN in page


def test_a_failed_job_can_go_on(gao: User) -> None:
    client = signed_in(gao)
    job = failed(gao, PNG, "x.png")
    assert client.post(f"/ingest/jobs/{job.pk}/resume/").status_code == 303
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED


def test_two_columns_of_one_name_are_told_with_the_name_and_the_file(gao: User) -> None:
    client = signed_in(gao)
    job = submitted(client, sent("问题,答案\n花为什么香？,为了引来昆虫。\n".encode(), "dupcols.csv"))
    path = job.uploads.get().path
    path.write_bytes("问题,问题,答案\n花为什么香？,香不香？,为了引来昆虫。\n".encode())
    pipeline.run(job.pk)
    job.refresh_from_db()
    assert job.error.startswith("Two columns are called 问题.")
    assert "dupcols.csv: Two columns are called 问题." in text(client.get(f"/ingest/jobs/{job.pk}/"))


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
    top = text(page).split('id="live"')[1].split("</section>")[0]
    assert '<span class="chip job-retracted">taken back</span>' in top
    assert "has left the queue" in top
    assert not [word for word in ("job-done", "100%", "enter the queue") if word in top]
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


def test_a_job_says_how_its_files_are_read(gao: User) -> None:
    spec = {"instruction": "题<b>", "output": "答"}
    content = json.dumps({"题<b>": "问", "答": "好"}, ensure_ascii=False).encode()
    job = imported(content, mapping=parsed(spec), rules=["trim_blanks"])
    page = text(signed_in(gao).get(f"/ingest/jobs/{job.pk}/"))
    assert "&quot;instruction&quot;: &quot;题&lt;b&gt;&quot;" in page
    assert RULES["trim_blanks"].english in page
    plain = text(signed_in(gao).get(f"/ingest/jobs/{imported(content).pk}/"))
    assert "Mapping" not in plain
