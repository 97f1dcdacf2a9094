"""What a deployment is made from: compose.yaml, the units of systemd, the proxy. Every command line is run for real."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.conf import settings

from tests.conftest import REPOSITORY
from tests.faults.processes import Broker, environment, until

DEPLOY = REPOSITORY / "deploy"
OPERATING = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "beat", "migrate")
UNITS = {path.name: path.read_text(encoding="utf-8") for path in sorted(DEPLOY.glob("*.service"))}
EXAMPLE = (DEPLOY / "cqia.env.example").read_text(encoding="utf-8")
OF_COMPOSE = {"SITE_NAME", "DATABASE_PASSWORD"}
SECRET = "a-secret-of-a-good-length-that-nobody-else-knows-at-all"


def command(unit: str) -> list[str]:
    """The command of a unit, without the folder that its program stands in."""
    (line,) = re.findall(r"^ExecStart=/opt/cqia/\.venv/bin/(.+)$", UNITS[unit], re.MULTILINE)
    return shlex.split(line)


def without(words: list[str], *options: str) -> list[str]:
    """The command without these options and their values."""
    at = {position for position, word in enumerate(words) if word in options}
    return [word for position, word in enumerate(words) if position not in at and position - 1 not in at]


def test_compose_is_whole() -> None:
    assert set(SERVICES) == {"proxy", *OURS, "database", "broker"}
    volumes = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert {name for name in volumes if not name.startswith("./")} == set(COMPOSE["volumes"])
    waited_for = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    assert waited_for <= set(SERVICES)
    for name, service in SERVICES.items():
        healthy = [
            other for other, how in service.get("depends_on", {}).items() if how["condition"] == "service_healthy"
        ]
        assert all("healthcheck" in SERVICES[other] for other in healthy), name
    places = [place.partition(":")[0] for place in SERVICES["proxy"]["volumes"]]
    assert (REPOSITORY / places[0]).is_file()
    for image in (service["image"] for service in SERVICES.values()):
        assert re.fullmatch(r"[a-z]+(/[a-z]+)?(:\d+(\.\d+)?)?", image), "an image without the name of a host"


def test_the_image_installs_the_locked_packages_with_their_hashes() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    assert "pip install --no-cache-dir --require-hashes -r requirements-s3.lock" in lines
    base = set(re.findall(r"^(\S+==\S+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE))
    more = set(re.findall(r"^(\S+==\S+)", (REPOSITORY / "requirements-s3.lock").read_text(), re.MULTILINE))
    assert base < more
    assert {name.partition("==")[0] for name in more - base} >= {"django-storages", "boto3"}
    (image,) = re.findall(r"^CMD (\[.*?\])$", lines.replace("\\\n", ""), re.MULTILINE | re.DOTALL)
    assert yaml.safe_load(image) == shlex.split(SERVICES["web"]["command"])


@pytest.mark.parametrize(
    ("service", "unit"),
    [("web", "cqia-web.service"), ("worker", "cqia-worker@.service"), ("beat", "cqia-beat.service")],
)
def test_units_and_compose_start_the_same(service: str, unit: str) -> None:
    one, other = (
        without(words, "--bind", "--hostname") for words in (shlex.split(SERVICES[service]["command"]), command(unit))
    )
    assert one == other


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_complete(unit: str) -> None:
    sections = re.findall(r"^\[(\w+)\]$", UNITS[unit], re.MULTILINE)
    assert sections == ["Unit", "Service", "Install"]
    entries = [line for line in UNITS[unit].splitlines() if line and not line.startswith("[")]
    assert all(re.fullmatch(r"[A-Z]\w+=.+", entry) for entry in entries)
    for wanted in ("EnvironmentFile=/etc/cqia.env", "User=cqia", "ProtectSystem=strict", "StateDirectory=cqia"):
        assert wanted in entries


def test_every_setting_named_is_one_that_is_explained() -> None:
    named = set(re.findall(r"^(?:# )?([A-Z_]{4,})=", EXAMPLE, re.MULTILINE)) - OF_COMPOSE
    assert len(named) > 15
    named |= {name for service in OURS for name in SERVICES[service]["environment"]}
    assert sorted(name for name in named if f"`{name}`" not in OPERATING) == []


def test_the_proxy_says_what_the_application_needs_to_hear() -> None:
    conf = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert conf.count("{") == conf.count("}")
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", conf)
    assert int(limit) * (1 << 20) > settings.INGEST_MAX_UPLOAD_BYTES
    for header in (
        "Host $host",
        "X-Forwarded-Proto $scheme",
        "X-Forwarded-For $remote_addr",
        "X-Request-Id $request_id",
    ):
        assert f"proxy_set_header {header};" in conf
    assert "$proxy_add_x_forwarded_for" not in conf, "what a client claims is not passed on"
    assert set(re.findall(r"\$\{(\w+)\}", conf)) == set(SERVICES["proxy"]["environment"])


@contextmanager
def running(words: list[str], given: dict[str, str], folder: Path) -> Iterator[Path]:
    """Run a command line in a folder that it may not rely on, and give its log."""
    log = folder / f"{words[0]}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *words], cwd=REPOSITORY, env=given, stdout=out, stderr=out
        )
    try:
        yield log
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.django_db(transaction=True)
def test_the_commands_run_as_they_are_written(tmp_path: Path) -> None:
    """Web server behind a proxy with TLS, worker and periodic tasks, as the units and compose.yaml start them."""
    broker = Broker()
    broker.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    given = environment(broker) | {
        **{name: str(value) for name, value in SERVICES["web"]["environment"].items() if "${" not in str(value)},
        "REDIS_URL": broker.url,
        "ALLOWED_HOSTS": "cqia.example.org,localhost",
        "CSRF_TRUSTED_ORIGINS": "https://cqia.example.org",
        "SECRET_KEY": SECRET,
        "CQIA_DATA_DIR": str(tmp_path / "data"),
    }
    web = [address if re.fullmatch(r"[\d.]+:8000", word) else word for word in command("cqia-web.service")]
    web[web.index("--workers") + 1] = "1"
    worker = [word.replace("%i@%H", "one@here") for word in command("cqia-worker@.service")]
    try:
        with (
            running(web, given, tmp_path),
            running([*worker[:-4], "--loglevel", "INFO", *worker[-2:]], given, tmp_path),
            httpx.Client(base_url=f"http://{address}", trust_env=False) as client,
        ):
            until(lambda: _status(client, "localhost") == 200)
            until(lambda: "one@here ready" in (tmp_path / "celery.log").read_text())
            assert _ready(client) == {"database": True, "migrations": True, "broker": True, "worker": True}
            assert _status(client, "evil.example.org", "/account/login/") == 400
            assert _status(client, "cqia.example.org", "/account/login/") == 301  # not by TLS
            assert _status(client, "cqia.example.org", "/account/login/", scheme="https") == 200
            page = client.get("/account/login/", headers=_headers("cqia.example.org", "https"))
            assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
            assert "Secure" in page.headers["Set-Cookie"]
            style = re.findall(r'href="(/static/[^"]+\.css)"', page.text)[0]
            assert _status(client, "cqia.example.org", style, scheme="https") == 200
            with running([*command("cqia-beat.service")[:-1], "INFO"], given, tmp_path):
                until(lambda: "ingest.tasks.sweep" in (tmp_path / "celery.log").read_text())
        assert not (REPOSITORY / "celerybeat.pid").exists()
    finally:
        broker.remove()


def _headers(host: str, scheme: str) -> dict[str, str]:
    return {"Host": host, "X-Forwarded-Proto": scheme, "X-Forwarded-For": "203.0.113.7"}


def _status(client: httpx.Client, host: str, path: str = "/healthz", scheme: str = "http") -> int:
    with suppress(httpx.HTTPError):
        return client.get(path, headers=_headers(host, scheme)).status_code
    return 0


def _ready(client: httpx.Client) -> dict[str, bool]:
    answer: dict[str, bool] = client.get("/readyz", headers=_headers("localhost", "http")).json()
    return answer


def test_migrating_is_what_it_is_called() -> None:
    words = shlex.split(SERVICES["migrate"]["command"])
    done = subprocess.run(
        [sys.executable, *words[1:], "--help"],
        cwd=REPOSITORY,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--no-input" in done.stdout
