"""The staged filter of a source: votes, length, score; what each stage leaves out is counted by its name."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from ingest import pipeline
from ingest.models import Job
from ingest.scoring import by_rules
from ingest.stages import Stages
from review.models import Record, Revision, Score, Source, User
from tests.factories import record
from tests.ingest.importing import counts, fresh, imported, submitted
from tests.ingest.scoring_server import ScoringServer, scoring_server
from tests.ingest.test_scoring import ANSWER
from tests.review.test_sources_pages import seen, signed_in

pytestmark = [pytest.mark.django_db]


def answers(*given: dict[str, Any]) -> bytes:
    """Answers as a forum's interface gives them."""
    lines = []
    for number, one in enumerate(given):
        answer = {
            "id": 9000 + number,
            "question": {"id": 70 + number, "title": f"树叶为什么会变黄？（{number}）", "detail": ""},
            "content": f"<p>{ANSWER}</p><p>{number}</p>。",
            "voteup_count": 500,
            "comment_count": 3,
            "author": {"name": "阿树"},
            "url": f"https://example.org/answers/{number}",
            "created_time": 1500000000,
        }
        lines.append(json.dumps(answer | one, ensure_ascii=False))
    return "\n".join(lines).encode()


@pytest.fixture
def zhihu() -> Source:
    Source.objects.filter(slug="zhihu").update(thresholds={"votes": 100, "shortest": 100, "longest": 600, "score": 7})
    return Source.objects.get(slug="zhihu")


FILE = answers(
    {},
    {"voteup_count": 99},
    {"voteup_count": 100},
    {"content": "<p>因为秋天到了。</p>"},
    {"content": f"<p>{ANSWER}</p>" * 4},
    {"content": "<p>" + "树叶会变黄" * 40 + "</p>"},
    {"voteup_count": 3, "content": "<p>短。</p>"},
)
DROPPED = {"votes": 2, "too_short": 1, "too_long": 1, "score": 1}


def test_every_stage_counts_what_it_leaves_out(zhihu: Source) -> None:
    job = imported(FILE, source="zhihu")
    assert (job.state, counts(job)) == ("done", {"read": 7, "new": 2, "dropped": 5})
    assert job.dropped_because() == DROPPED
    assert job.tally()["score"].total() == 3
    assert Record.objects.count() == 2
    kept = Score.objects.filter(record__batch=job.batch).values_list("value", "scorer", "unscored")
    assert [(value >= zhihu.thresholds["score"], *rest) for value, *rest in kept] == [(True, "rules", "")] * 2


def test_rehearsal_and_shared_runs_leave_out_the_same(zhihu: Source, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(FILE)
    [(portion, counted)] = pipeline.rehearse([path], source=zhihu)
    assert (portion.read, counted.new, counted.dropped) == (7, 2, DROPPED)
    settings.INGEST_PART_BYTES = 500
    job = submitted(FILE, source="zhihu")
    assert pipeline.run(job.pk, invite=lambda: None) == pipeline.Outcome.ENDED
    assert fresh(job).dropped_because() == DROPPED
    assert job.chunks.count() > 1


def test_source_without_thresholds_takes_everything() -> None:
    assert counts(imported(FILE, source="zhihu"))["new"] == 7
    assert fresh(Job.objects.get()).tally().get("score") is None
    assert not Score.objects.exists()


@pytest.mark.parametrize("thresholds", [{}, {"votes": None, "score": "8"}, {"unknown": 3}, {"votes": True}])
def test_what_is_no_number_asks_for_nothing(zhihu: Source, thresholds: dict[str, Any]) -> None:
    zhihu.thresholds = thresholds
    assert Stages.of(zhihu).thresholds == Stages.of(Source(slug="zhihu")).thresholds


@pytest.fixture
def judge(settings: Settings) -> Iterator[ScoringServer]:
    with scoring_server() as server:
        settings.SCORING_URL, settings.SCORING_MODEL = server.url, "judge"
        settings.SCORING_PER_MINUTE = 600_000
        yield server


def by_number(body: dict[str, Any]) -> str:
    """The score that a model would give: 9, for the third answer 3, for the first none."""
    text = body["messages"][1]["content"]
    return "不知道" if "（0）" in text else "3" if "（2）" in text else "9"


def test_model_scores_what_the_stages_before_have_left(zhihu: Source, judge: ScoringServer) -> None:
    judge.answers = [by_number]
    job = imported(FILE, source="zhihu")
    assert (job.state, counts(job)) == ("done", {"read": 7, "new": 2, "dropped": 5})
    assert job.dropped_because() == DROPPED
    assert job.tally()["score"] == {"9": 1, "3": 1, "unscored: no_score": 1}
    assert len(judge.seen) == 3
    kept = Revision.objects.order_by("pk").values_list("instruction", flat=True)
    assert [text[-2] for text in kept] == ["0", "5"]
    scores = Score.objects.order_by("record").values_list("value", "scorer", "unscored")
    assert list(scores) == [(None, "judge", "no_score"), (9, "judge", "")]


def test_rehearsal_asks_no_model(zhihu: Source, judge: ScoringServer, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(FILE)
    [(_portion, counted)] = pipeline.rehearse([path], source=zhihu)
    assert (counted.new, counted.dropped) == (3, {"votes": 2, "too_short": 1, "too_long": 1})
    assert judge.seen == []


def test_model_that_cannot_be_reached_leaves_records_unscored(
    zhihu: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.scoring.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("ingest.scoring.LONGEST_PAUSE", 0.0)
    settings.SCORING_URL, settings.SCORING_MODEL = "http://127.0.0.1:9/v1", "judge"
    job = imported(FILE, source="zhihu")
    assert (job.state, counts(job)) == ("done", {"read": 7, "new": 3, "dropped": 4})
    assert job.tally()["score"] == {"unscored: unreachable": 3}


def test_real_answers_go_through_the_whole_filter(shared_data: Path, zhihu: Source, tmp_path: Path) -> None:
    Source.objects.filter(slug="zhihu").update(thresholds={"votes": 10, "shortest": 280, "longest": 3800, "score": 8})
    path = tmp_path / "zhihu.jsonl"
    shutil.copy(shared_data / "raw" / "zhihu_answers.jsonl", path)
    job = imported(path.read_bytes(), source="zhihu")
    counted = counts(job)
    assert counted["read"] == 241
    assert set(job.dropped_because()) == {"votes", "too_short", "too_long", "score"}
    lengths = [len(text) for text in Revision.objects.values_list("output", flat=True)]
    assert lengths
    assert min(lengths) >= 280
    assert max(lengths) <= 3800


def test_score_is_that_of_the_wording_that_came_in_last(zhihu: Source) -> None:
    zhihu.thresholds = {"score": 0}
    zhihu.save(update_fields=["thresholds"])
    fields = {"instruction": "天空为什么是蓝色的？", "input": "", "external_id": "a", "answer_from": "human"}
    for output in ("", "因为散射。", "因为大气里的分子把短波长的光散射得更多。\n所以晴天的天空看上去是蓝色的。" * 3):
        imported(json.dumps(fields | {"output": output}, ensure_ascii=False).encode(), source="zhihu")
        found = Score.objects.get()
        assert found.record.external_id == "a"
        if not output:
            assert (found.value, found.scorer, found.unscored) == (None, "rules", "unanswered")
        else:
            assert found.value == by_rules(fields["instruction"], output)
            assert found.unscored == ""


def test_page_of_a_record_tells_its_score_or_why_there_is_none(lin: User, settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"
    scored, blank, unasked = (record("zhihu", output=output) for output in ("好。", "", "也好。"))
    Score.objects.create(record=scored, value=8.3, scorer="rules")
    Score.objects.create(record=blank, scorer="judge", unscored="http_503")
    pages = [seen(signed_in(lin).get(f"/review/records/{one.pk}/")) for one in (scored, blank, unasked)]
    assert "Quality score as it came in 8.3 by rules" in pages[0]
    assert "Quality score as it came in none the model&#x27;s server answered 503" in pages[1]
    assert "Quality score as it came in none the source asked for none" in pages[2]
