"""Settings that are not safe: the site refuses to start with them, however it is started, and says what to set."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from cqia_site import checks

pytestmark = pytest.mark.attack

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-secret-of-a-good-length-that-nobody-else-knows-at-all"
UNSAFE = {
    "any host": ({"ALLOWED_HOSTS": "*", "SECRET_KEY": SECRET}, "ALLOWED_HOSTS"),
    "a sample secret": ({"SECRET_KEY": "django-insecure-" + SECRET}, "SECRET_KEY"),
    "a short secret": ({"SECRET_KEY": "secret"}, "SECRET_KEY"),
    "reached by others without a secret": ({"ALLOWED_HOSTS": "cqia.example.org"}, "SECRET_KEY"),
    "forms from anywhere": ({"CSRF_TRUSTED_ORIGINS": "https://*:8443"}, "CSRF_TRUSTED_ORIGINS"),
}
SHOWN = (
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "LANGUAGE_COOKIE_SECURE",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_NAME",
    "ALLAUTH_TRUSTED_PROXY_COUNT",
)
SHOW = f"""
import json, django
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {SHOWN}}}))
"""


def run(code: list[str], given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python with these settings and none that this run of the tests has."""
    of_tests = {"SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "DJANGO_ALLOW_ASYNC_UNSAFE"}
    inherited = {name: value for name, value in os.environ.items() if name not in of_tests}
    return subprocess.run(
        [sys.executable, *code],
        check=False,
        cwd=ROOT,
        env=inherited | given,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize(
    "code", [["-c", "import cqia_site.wsgi"], ["manage.py", "serve", "--port", "0"]], ids=["wsgi", "serve"]
)
def test_the_site_does_not_start(name: str, code: list[str]) -> None:
    given, to_set = UNSAFE[name]
    started = run(code, given)
    assert started.returncode == 1
    assert to_set in started.stderr


def test_the_site_starts_where_nothing_is_set() -> None:
    assert run(["-c", "import cqia_site.wsgi"], {}).returncode == 0


def test_behind_tls_everything_is_bound_to_it() -> None:
    shown = run(["-c", SHOW], {"BEHIND_TLS_PROXY": "1"})
    assert json.loads(shown.stdout) == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "LANGUAGE_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "ALLAUTH_TRUSTED_PROXY_COUNT": 1,
    }


def test_passwords_in_clear_are_warned_of(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["cqia.example.org"]
    assert [message.id for message in checks.check_transport()] == ["cqia.W001"]
    settings.BEHIND_TLS_PROXY = True
    assert checks.check_transport() == []


@pytest.mark.django_db
def test_the_check_of_a_deployment_finds_nothing() -> None:
    given = {"BEHIND_TLS_PROXY": "1", "SECRET_KEY": SECRET, "ALLOWED_HOSTS": "cqia.example.org"}
    checked = run(["manage.py", "check", "--deploy", "--fail-level", "WARNING"], given)
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout
