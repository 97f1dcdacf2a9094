import os
import subprocess
import sys
from argparse import SUPPRESS
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

import manage

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "line", ["", "help", "help serve", "serve --help", "--version", "version", "makemessages -l en", "compilemessages"]
)
def test_what_needs_no_service_starts_none(line: str) -> None:
    assert not manage.needs_services(line.split())


@pytest.mark.parametrize("line", ["migrate", "ingest a.jsonl --source zhihu", "shell -c help"])
def test_what_goes_to_the_database_has_it(line: str) -> None:
    assert manage.needs_services(line.split())


@pytest.mark.parametrize("environment", [{"LANG": "en_US.UTF-8"}, {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}])
def test_commands_speak_english_where_the_terminal_does(environment: dict[str, str]) -> None:
    assert manage.speaks_english(environment)


@pytest.mark.parametrize(
    "environment", [{}, {"LANG": "C.UTF-8"}, {"LANG": "en_US.UTF-8", "LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8"}]
)
def test_commands_speak_chinese_everywhere_else(environment: dict[str, str]) -> None:
    assert not manage.speaks_english(environment)


@pytest.mark.parametrize(
    ("line", "is_answered"),
    [("serve --help", True), ("help serve", True), ("ingest a.jsonl", True), ("", False), ("--version", False)],
)
def test_what_a_command_says_of_itself_is_in_the_language_of_the_terminal(line: str, *, is_answered: bool) -> None:
    assert manage.speaks(line.split()) == is_answered


OURS = [name for name, app in get_commands().items() if app in {"cqia_site", "review", "ingest", "exports"}]


@pytest.mark.parametrize("name", OURS)
def test_the_help_of_every_command_follows_the_language(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("review.reporting", f"{get_commands()[name]}.management.commands.{name}"):
        monkeypatch.setattr(f"{module}._", lambda text: f"译{text}", raising=False)
    parser = load_command_class(str(get_commands()[name]), name).create_parser("manage.py", name)
    assert str(parser.description).startswith("译")
    by_django = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions}
    for action in parser._actions:
        if action.dest not in by_django and action.help not in {None, SUPPRESS}:
            assert str(action.help).startswith("译"), action.dest
    assert parser.format_help()


def test_services_that_cannot_be_had_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    refused = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        check=False,
        cwd=ROOT,
        env=environment | {"CQIA_DATA_DIR": str(tmp_path / "file" / "var")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_reader_that_is_gone_ends_a_command_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        check=False,
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (manage.NOBODY_READS, "")
