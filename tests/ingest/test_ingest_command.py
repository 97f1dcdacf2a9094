"""`manage.py ingest`: its counts on real records, its words, its exit status."""

import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import translation
from pytest_django.fixtures import Settings

from ingest import pipeline
from ingest.management.commands import ingest as command
from ingest.management.progress import Meter
from ingest.models import Chunk, Job
from review import rights
from review.models import Record, Rights, Source
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import fresh, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

KEYS = [
    *("job", "state", "read", "new", "changed", "unchanged", "duplicate", "dropped", "rejected"),
    *("rejects_file", "seconds"),
]


def run(*words: object) -> tuple[dict[str, Any], str]:
    """The JSON object, which is all of standard output, and standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("ingest", *map(str, words), "--json", stdout=out, stderr=err)
    (last,) = out.getvalue().split("\n")[:-1]
    result = json.loads(last)
    assert list(result) == KEYS
    assert result["read"] == sum(result[name] for name in KEYS[3:9])
    return result, err.getvalue()


def counted(result: dict[str, Any]) -> dict[str, int]:
    return {name: result[name] for name in KEYS[2:9] if result[name]}


def failed(*words: object) -> tuple[int, str]:
    with pytest.raises(CommandError) as caught:
        call_command("ingest", *map(str, words), stdout=io.StringIO(), stderr=io.StringIO())
    return caught.value.returncode, str(caught.value)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    path = tmp_path / "ten.jsonl"
    path.write_bytes(b"\n".join(good_lines(10)) + b"\n")
    return path


def rows() -> list[object]:
    """Every row of review's tables, by id and by the transaction that wrote it."""
    with connection.cursor() as cursor:
        found: list[object] = []
        for table in ("record", "revision", "original", "duplicate", "move"):
            cursor.execute(f"SELECT id, xmin::text FROM review_{table} ORDER BY id")
            found.append(cursor.fetchall())
        return found


def test_ruozhiba_is_new_and_then_unchanged_without_a_row_written(shared_data: Path) -> None:
    path = shared_data / "finished" / "ruozhiba.jsonl"
    result, _err = run(path, "--source", "ruozhiba")
    assert (result["state"], counted(result)) == ("done", {"read": 240, "new": 240})
    before = rows()
    assert counted(run(path, "--source", "ruozhiba")[0]) == {"read": 240, "unchanged": 240}
    assert rows() == before


def test_law_gee_repeats_itself_ten_times(shared_data: Path) -> None:
    path = shared_data / "finished" / "law_gee.jsonl"
    assert counted(run(path, "--source", "law-gee")[0]) == {"read": 2515, "new": 2505, "duplicate": 10}
    before = rows()
    assert counted(run(path, "--source", "law-gee")[0]) == {"read": 2515, "unchanged": 2515}
    assert rows() == before


def test_every_line_of_xhs_is_accounted_for(shared_data: Path) -> None:
    path = shared_data / "finished" / "xhs.jsonl"
    rehearsed, _err = run(path, "--source", "xiaohongshu", "--dry-run")
    result, _err = run(path, "--source", "xiaohongshu")
    assert result["read"] == path.read_bytes().count(b"\n") == 1508
    assert counted(rehearsed) == counted(result)


def test_alpaca_array_is_recognised(shared_data: Path) -> None:
    result, _err = run(shared_data / "raw" / "alpaca_zh.json", "--source", "zhihu")
    assert result["read"] == 1000
    assert result["rejected"] == 0


def test_several_files_are_one_job(ten: Path) -> None:
    result, _err = run(ten, ten, "--source", "zhihu")
    assert counted(result) == {"read": 20, "new": 10, "duplicate": 10}
    assert Job.objects.get().uploads.count() == 2


def test_refused_records_stand_in_the_rejects_file(ten: Path) -> None:
    ten.write_bytes(ten.read_bytes() + b"{}\n" + line(record(11) | {"votes": 3}))
    result, err = run(ten, "--source", "zhihu", "--licence", "MIT", "--holder", "某人")
    assert counted(result) == {"read": 12, "new": 11, "rejected": 1}
    (entry,) = map(json.loads, Path(result["rejects_file"]).read_bytes().splitlines())
    assert (entry["file"], entry["line"], entry["code"], entry["raw"]) == ("ten.jsonl", 11, "missing", "{}")
    assert result["rejects_file"] in err
    assert "votes (1)" in err
    assert "rights are unknown" not in err
    assert list(Rights.objects.values_list("licence", "holder")) == [("MIT", "某人")]


def test_a_failed_job_leaves_its_rejects_too(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    bad = line(record(1) | {"instruction": None}) + b"\n"
    path.write_bytes(gzip.compress(bad * 9 + random.Random(1).randbytes(1 << 17).hex().encode())[:-9000])
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("ingest", str(path), "--source", "zhihu", "--json", stdout=out, stderr=io.StringIO())
    result = json.loads(out.getvalue())
    assert (result["state"], result["rejected"]) == ("failed", 9)
    assert len(Path(result["rejects_file"]).read_bytes().splitlines()) == 9


@pytest.mark.parametrize("known_of_the_source", [False, True])
def test_a_licence_said_to_be_unknown_is_warned_of(ten: Path, *, known_of_the_source: bool) -> None:
    if known_of_the_source:
        rights.decide_rights(Source.objects.get(slug="zhihu"), by=None, licence="MIT")
    result, err = run(ten, "--source", "zhihu", "--licence", "unknown", "--holder", "某人")
    assert result["new"] == 10
    assert "The rights are unknown" in err


def test_evidence_is_kept_with_the_rights(ten: Path) -> None:
    run(ten, "--source", "zhihu", "--licence", "MIT", "--evidence", "来函，2026-03-01")
    assert Rights.objects.get().evidence == "来函，2026-03-01"


def test_a_source_whose_rights_are_unknown_is_warned_of(ten: Path) -> None:
    rights.decide_rights(Source.objects.get(slug="zhihu"), by=None, licence="unknown", holder="某人")
    assert "The rights are unknown" in run(ten, "--source", "zhihu")[1]
    rights.decide_rights(Source.objects.get(slug="zhihu"), by=None, licence="MIT")
    ten.write_bytes(line(record(11)))
    assert "The rights are unknown" not in run(ten, "--source", "zhihu")[1]


def test_rehearsal_shows_what_would_be_refused_and_writes_nothing(ten: Path, uploads: Path) -> None:
    ten.write_bytes(ten.read_bytes() + b"[]\n" * 22)
    result, err = run(ten, "--source", "zhihu", "--dry-run")
    assert (result["job"], result["state"], result["rejects_file"]) == (None, "dry-run", None)
    assert counted(result) == {"read": 32, "new": 10, "rejected": 22}
    assert f"{ten}:11 (" in err
    assert f"{ten}:30 (" in err
    assert f"{ten}:31 (" not in err
    assert "2 more refused" in err
    assert not Job.objects.exists()
    assert not Record.objects.exists()
    assert not uploads.exists()


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_rules_are_switched_on_for_one_import(ten: Path, words: list[str]) -> None:
    spoken = record(20) | {"output": "作为AI语言模型，我没有意见。"}
    padded = record(21) | {"output": "先写上部。  \n再写下部。"}
    ten.write_bytes(line(spoken) + b"\n" + line(padded))
    rules = ["--rules", "drop_model_voice, trim_blanks"]
    result, err = run(ten, "--source", "zhihu", *rules, *words)
    assert counted(result) == {"read": 2, "new": 1, "dropped": 1}
    if not words:
        assert "drop_model_voice (1)" in err
        assert "trim_blanks (1)" in err
        assert Record.objects.select_related("revision").get().revision.output == "先写上部。\n再写下部。"


def test_words_for_people_go_to_standard_output(ten: Path) -> None:
    out = io.StringIO()
    call_command("ingest", str(ten), source="zhihu", stdout=out, stderr=io.StringIO())
    *_notices, last = out.getvalue().strip().split("\n")
    assert last.startswith("10 read = 10 new + 0 changed + 0 unchanged + 0 duplicate + 0 dropped + 0 rejected (")
    assert "rights are unknown" in out.getvalue()


def test_file_without_records_says_so(ten: Path) -> None:
    ten.write_bytes(b"")
    result, err = run(ten, "--source", "zhihu")
    assert (result["state"], result["read"]) == ("done", 0)
    assert "no records" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--source", "zhihu"], "Name the file"),
        (["{ten}"], "--source"),
        (["{ten}", "--source", "zhihuu"], "Did you mean: zhihu"),
        (["{ten}", "--source", "知乎"], "ruozhiba"),
        (["{ten}.nix", "--source", "zhihu"], "There is no file"),
        (["{folder}", "--source", "zhihu"], "is a folder"),
        (["{ten}", "--source", "zhihu", "--licence", "mine"], "CC-BY-4.0"),
        (["{ten}", "--source", "zhihu", "--licence", "mine", "--dry-run"], "CC-BY-4.0"),
        (["{ten}", "--source", "zhihu", "--licence", "MIT", "--holder", "长" * 501], "“holder” is too long"),
        (["{ten}", "--source", "zhihu", "--licence", "MIT", "--evidence", "长" * 2001], "“evidence” is too long"),
        (["{ten}", "--source", "zhihu", "--format", "docx"], "cqia, alpaca"),
        (["{ten}", "--source", "zhihu", "--encoding", "klingon"], "gb18030"),
        (["{ten}", "--source", "zhihu", "--mapping", "m.json"], "no mapping of that name"),
        (["{ten}", "--source", "zhihu", "--rules", "trim"], "trim_blanks"),
        (["{ten}", "--source", "zhihu", "--rules", "model_voice", "--dry-run"], "drop_model_voice"),
        (["{ten}", "--source", "zhihu", "--workers", "0"], "at least 1"),
        (["{ten}", "--resume", "1"], "--resume"),
        (["--resume", "4711"], "no job 4711"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(ten: Path, words: list[str], sentence: str) -> None:
    status, message = failed(*[word.format(ten=ten, folder=ten.parent) for word in words])
    assert status == 2
    assert sentence in message
    assert not Job.objects.exists()


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The encoding klingon is not supported."), ("zh-hans", "不支持编码 klingon。")],
)
def test_an_encoding_that_is_not_supported_is_told_in_the_language_in_use(
    ten: Path, language: str, sentence: str, words: list[str]
) -> None:
    with translation.override(language):
        status, message = failed(ten, "--source", "zhihu", "--encoding", "klingon", *words)
    assert status == 2
    assert message.startswith(sentence)


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_file_in_another_encoding_fails_with_the_option_to_give(ten: Path, words: list[str]) -> None:
    ten.write_bytes(ten.read_text(encoding="utf-8").encode("gb18030"))
    status, message = failed(ten, "--source", "zhihu", *words)
    assert status == 1
    assert "--encoding gb18030" in message
    assert counted(run(ten, "--source", "zhihu", "--encoding", "gb18030", *words)[0]) == {"read": 10, "new": 10}


def test_two_columns_of_one_name_are_told_with_the_name_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dupcols.csv"
    path.write_text("问题,问题,答案\n花为什么香？,香不香？,为了引来昆虫。\n", encoding="utf-8")
    status, message = failed(path, "--source", "zhihu")
    assert status == 1
    assert "dupcols.csv: Two columns are called 问题." in message


def test_failed_job_is_reported_as_json_too(ten: Path) -> None:
    ten.write_bytes(b"\x7fELF")
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("ingest", str(ten), "--source", "zhihu", "--json", stdout=out, stderr=io.StringIO())
    assert caught.value.returncode == 1
    assert json.loads(out.getvalue())["state"] == "failed"


def test_database_that_is_away_is_told_in_a_sentence(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_given: object, **_named: object) -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr("ingest.jobs.submit", away)
    status, message = failed(ten, "--source", "zhihu")
    assert status == 1
    assert "connection refused" in message
    assert "\n" not in message


def test_interrupted_command_says_how_to_go_on_and_how_to_take_back(
    ten: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.INGEST_CHUNK_RECORDS = 4
    with monkeypatch.context() as patched:
        patched.setattr(Meter, "show", _press_ctrl_c)
        status, message = failed(ten, "--source", "zhihu")
    job = Job.objects.get()
    assert (status, job.state, Record.objects.count()) == (1, Job.State.CANCELLED, 4)
    assert f"ingest --resume {job.pk}" in message
    assert f"retract_import {job.pk}" in message
    assert counted(run("--resume", job.pk)[0]) == {"read": 10, "new": 10}
    assert failed("--resume", job.pk) == (1, "This job is done already.")


def _press_ctrl_c(*_given: object, **_named: object) -> None:
    raise KeyboardInterrupt


def test_interruption_before_anything_is_asked_for(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.jobs.submit", _press_ctrl_c)
    assert failed(ten, "--source", "zhihu") == (1, "Stopped; nothing was changed.")


def test_job_that_a_worker_was_faster_to_take_is_watched(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([pipeline.Outcome.NOT_HELD])
    real = pipeline.run

    def slower(job: int, **given: Any) -> pipeline.Outcome:
        return next(taken, None) or real(job, **given)

    monkeypatch.setattr("ingest.pipeline.run", slower)
    monkeypatch.setattr(command, "POLL_SECONDS", 0)
    assert counted(run(ten, "--source", "zhihu")[0]) == {"read": 10, "new": 10}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands until it is set."""
    now = [0.0]
    monkeypatch.setattr("ingest.management.progress.time.monotonic", lambda: now[0])
    return now


def test_progress_is_a_line_every_few_seconds_off_a_terminal(clock: list[float]) -> None:
    said: list[str] = []
    with Meter([100, 300], said.append, is_terminal=False) as meter:
        for at, file, offset in ((1, 1, 50), (6, 1, 100), (7, 2, 100), (12, 2, 500)):
            clock[0] = at
            meter.show(file, offset, more=1000)
    assert said == ["2,000 records read, 25 %", "4,000 records read, 100 %"]


def test_progress_is_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with Meter([0], said.append, is_terminal=True) as meter:
        meter.show(1, 0, more=7)
    assert said == []


def test_counts_of_a_resumed_job_are_those_of_the_whole_job(settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 4
    job = submitted(b"\n".join(good_lines(10)))
    pipeline.run(job.pk, should_stop=lambda: True)
    assert Chunk.objects.count() == 1
    assert counted(run("--resume", job.pk)[0]) == {"read": 10, "new": 10}
    assert fresh(job).attempt == 1


def test_an_import_goes_on_when_nobody_reads_its_progress(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError(text)

    monkeypatch.setattr("ingest.management.progress.LINE_SECONDS", 0)
    with pytest.raises(BrokenPipeError):  # of the last line, which manage.py answers without a word
        call_command("ingest", str(ten), "--source", "zhihu", stdout=Closed(), stderr=io.StringIO())
    job = Job.objects.get()
    assert (job.state, job.error_code, Record.objects.count()) == (Job.State.DONE, "", 10)
