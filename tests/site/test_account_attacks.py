"""Attacks on accounts, sessions, tokens and the second step, each under its number in the list of attacks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings as configured
from django.contrib.auth import hashers
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from exports.tokens import create_token
from review import people
from review.models import Token, User
from tests.accounts import PASSWORD, code_now, confirm, give_password, set_up_second_step, sign_in, signed_in, text_of

pytestmark = pytest.mark.django_db

API = "/api/v1/releases/"
CODE = "/account/second-step/code/"
TOO_MANY = "Too many attempts"


@pytest.fixture(autouse=True)
def _english(settings: Settings) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def from_address(number: int) -> Client:
    return Client(REMOTE_ADDR=f"10.0.{number // 250}.{number % 250 + 1}")


def test_58_thirty_bad_logins_from_one_address_are_held_up(member: User) -> None:
    answers = [sign_in(from_address(0), f"somebody{number}", "wrong") for number in range(30)]
    assert all(TOO_MANY in text_of(answer) for answer in answers[10:])
    assert TOO_MANY in text_of(sign_in(from_address(0), "lin"))
    assert sign_in(from_address(1), "lin").url == "/"
    assert sign_in(from_address(0), "lin").status_code == 429


def test_58_thirty_bad_logins_from_thirty_addresses_lock_the_account(member: User) -> None:
    answers = [sign_in(from_address(number), "lin", "wrong") for number in range(30)]
    assert all(TOO_MANY in text_of(answer) for answer in answers[5:])
    assert TOO_MANY in text_of(sign_in(from_address(99), "lin"))
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        assert sign_in(from_address(99), "lin").url == "/"


def test_58_good_logins_in_between_do_not_wipe_the_count(member: User, mei: User) -> None:
    give_password(mei)
    for _attempt in range(5):
        sign_in(from_address(1), "mei", "wrong")
        assert sign_in(from_address(2), "lin").url == "/"
    assert TOO_MANY in text_of(sign_in(from_address(3), "mei"))


def answer_to(login: str) -> str:
    """What somebody sees who types a wrong password, without the words they typed."""
    return text_of(sign_in(Client(), login, "wrong")).partition('role="alert"')[2].partition("</p>")[0]


def test_58_a_wrong_password_is_answered_alike_for_everybody(member: User, mei: User, shen: User) -> None:
    give_password(mei)
    User.objects.filter(pk=mei.pk).update(is_active=False)
    shen.set_unusable_password()
    shen.save()
    said = {answer_to(login) for login in ("lin", "nobody", "mei", "shen", "lin@example.org", "nobody@example.org")}
    assert len(said) == 1
    assert "do not match" in said.pop()
    right_but_disabled = text_of(sign_in(Client(), "mei"))
    assert "do not match" in right_but_disabled
    assert "disabled" not in right_but_disabled


class Counting(hashers.MD5PasswordHasher):
    """Counts how often a password is hashed: what signing in takes its time for."""

    algorithm = "counting"
    count = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.count += 1
        return f"counting${salt}$" + super().encode(password, salt).partition("$")[2]


@pytest.mark.parametrize(
    "login", ["lin", "lin@example.org", "nobody", "nobody@example.org", "mei", "mei@example.org", "shen"]
)
def test_58_a_login_takes_the_same_time_for_everybody(
    login: str, lin: User, mei: User, shen: User, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    for person in (lin, mei):
        User.objects.filter(pk=person.pk).update(email=f"{person.username}@example.org")
        give_password(person)
    User.objects.filter(pk=mei.pk).update(is_active=False)
    shen.set_unusable_password()
    shen.save()
    Counting.count = 0
    sign_in(Client(), login, "wrong")
    assert Counting.count == 1


def test_58_asking_for_a_link_tells_nobody_who_is_here(
    member: User, settings: Settings, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    asked: list[str] = []
    monkeypatch.setattr("review.tasks.mail_links.delay", lambda address, _root: asked.append(address))
    for address in ("lin@example.org", "nobody@example.org"):
        with django_assert_num_queries(0):
            answer = Client().post("/account/password/forgotten/", {"email": address})
        assert (answer.status_code, answer.url) == (302, "/account/password/sent/")
    assert asked == ["lin@example.org", "nobody@example.org"]
    answers = [
        from_address(number).post("/account/password/forgotten/", {"email": "lin@example.org"}) for number in range(9)
    ]
    assert [answer.status_code for answer in answers[3:]] == [429] * 6
    assert TOO_MANY in text_of(answers[-1])


def test_59_a_session_from_before_is_not_taken_over(member: User) -> None:
    planted = Client()
    planted.get("/account/login/")
    session = planted.session
    session["planted"] = True
    session.save()
    key = session.session_key
    planted.cookies[configured.SESSION_COOKIE_NAME] = key
    sign_in(planted, "lin")
    assert planted.cookies[configured.SESSION_COOKIE_NAME].value != key
    attacker = Client()
    attacker.cookies[configured.SESSION_COOKIE_NAME] = key
    assert attacker.get("/").status_code == 302


def test_59_cookies_are_kept_from_scripts_and_other_sites(member: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.LANGUAGE_COOKIE_SECURE = True
    client = signed_in(member)
    client.get("/")
    client.post("/account/language/", {"language": "en"})
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", True, "/")
        assert not cookie["domain"]


def test_59_signing_out_kills_the_session_for_who_has_a_copy(member: User) -> None:
    client, thief = signed_in(member), Client()
    thief.cookies = client.cookies.copy()
    assert thief.get("/").status_code == 200
    client.post("/account/logout/")
    assert thief.get("/").status_code == 302


def test_59_who_is_disabled_is_out_at_once(member: User, gao: User) -> None:
    client = signed_in(member)
    _token, secret = create_token(user=member, scopes=["export:read"])
    program = Client(headers={"authorization": f"Bearer {secret}"})
    assert (client.get("/").status_code, program.get(API).status_code) == (200, 200)
    people.disable_person(by=gao, person=member)
    assert (client.get("/").status_code, program.get(API).status_code) == (302, 401)
    people.enable_person(by=gao, person=member)
    assert (client.get("/").status_code, program.get(API).status_code) == (302, 401)


def test_59_who_is_disabled_between_the_two_steps_does_not_get_in(member: User, gao: User) -> None:
    secret = set_up_second_step(signed_in(member))
    client = Client()
    sign_in(client, "lin")
    people.disable_person(by=gao, person=member)
    assert client.post(CODE, {"code": code_now(secret, steps=1)}).url == "/account/login/"
    people.enable_person(by=gao, person=member)
    assert client.get("/").status_code == 302


def test_60_only_a_good_token_of_the_scope_is_taken(tao: User, settings: Settings) -> None:
    token, secret = create_token(user=tao, scopes=["export:read"])
    _expired, old = create_token(user=tao, scopes=["export:read"], days=1)
    _revoked, gone = create_token(user=tao, scopes=["export:read"])
    Token.objects.filter(token_key=gone[:15]).delete()
    _other, elsewhere = create_token(user=tao, scopes=["ingest:write"])

    def status(value: str, address: str = API) -> int:
        return Client(headers={"authorization": value} if value else {}).get(address).status_code

    assert status(f"Bearer {secret}") == 200
    assert status(f"Bearer {elsewhere}") == 403
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {secret[:-1]}",
        f"Bearer {secret[:-1]}{'0' if secret[-1] != '0' else '1'}",
        f"Bearer {secret} {secret}",
        f"Bearer {gone}",
        f"Bearer {token.digest}",
        f"Bearer {token.token_key}",
        f"Basic {secret}",
        secret,
        "Bearer \xff\xfe",
        "Bearer " + "a" * 10_000,
    ]
    assert {value: status(value) for value in wrong} == dict.fromkeys(wrong, 401)
    for query in ("token", "access_token", "authorization", "Authorization"):
        assert status("", f"{API}?{query}={secret}") == 401
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert status(f"Bearer {old}") == 401
        assert status(f"Bearer {secret}") == 200


def test_60_a_dump_of_the_database_holds_no_usable_token(tao: User) -> None:
    _token, secret = create_token(user=tao, scopes=["export:read"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM review_token t")
        (dump,) = cursor.fetchone()
    assert secret not in dump
    assert secret[15:] not in dump
    for word in dump.replace('"', " ").replace(":", " ").replace(",", " ").split():
        answer = Client(headers={"authorization": f"Bearer {word}"}).get(API)
        assert answer.status_code == 401, word


def test_61_a_code_is_good_for_one_sign_in(member: User) -> None:
    secret = set_up_second_step(signed_in(member))
    first, second, third = (Client() for _ in range(3))
    for client in (first, second, third):
        sign_in(client, "lin")
    code = code_now(secret, steps=1)
    assert first.post(CODE, {"code": code}).url == "/"
    cache.clear()
    for same in (code, f" {code[:3]} {code[3:]} ", f"{code[:3]}-{code[3:]}"):
        assert "not valid" in text_of(second.post(CODE, {"code": same}))
    assert second.get("/").status_code == 302
    later = timezone.now() + timedelta(seconds=60)
    with time_machine.travel(later):
        assert third.post(CODE, {"code": code_now(secret)}).url == "/"


def test_61_the_code_that_set_the_app_up_signs_nobody_in(member: User, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        secret = set_up_second_step(signed_in(member))
    client = Client()
    sign_in(client, "lin")
    assert "not valid" in text_of(client.post(CODE, {"code": code_now(secret)}))


def test_61_a_code_used_to_confirm_is_used_up(member: User) -> None:
    client = signed_in(member)
    secret = set_up_second_step(client)
    code = {"code": code_now(secret, steps=1)}
    assert client.post("/account/second-step/confirm/", code).status_code == 302
    assert client.post("/account/second-step/confirm/", code).status_code == 200


def test_61_codes_are_not_to_be_guessed(member: User) -> None:
    secret = set_up_second_step(signed_in(member))
    for number in range(5):
        client = from_address(number)
        sign_in(client, "lin")
        assert "not valid" in text_of(client.post(CODE, {"code": f"{number:06}"}))
    client = from_address(77)
    sign_in(client, "lin")
    assert TOO_MANY in text_of(client.post(CODE, {"code": code_now(secret, steps=1)}))
    assert client.get("/").status_code == 302


def test_61_the_second_step_is_not_to_be_skipped(member: User) -> None:
    set_up_second_step(signed_in(member))
    client = Client()
    sign_in(client, "lin")
    for address in (
        "/",
        "/review/",
        "/account/sessions/",
        "/account/second-step/app/deactivate/",
        "/account/password/",
    ):
        assert client.get(address).url.startswith("/account/login/?next=")
    assert client.post("/account/second-step/app/deactivate/").status_code == 302
    assert client.post("/account/confirm/", {"password": PASSWORD}).status_code == 302
    assert Authenticator.objects.filter(type="totp").exists()
    for wrong in ("", "abcdef", "１２３４５６", "0" * 100, "\x00"):
        assert client.post(CODE, {"code": wrong}).status_code == 200
        cache.clear()
    assert client.get("/account/login/").url == CODE
    assert Client().get(CODE).url == "/account/login/"


def test_61_a_recovery_code_is_good_once(member: User) -> None:
    client = signed_in(member)
    set_up_second_step(client)
    confirm(client)
    code = text_of(client.get("/account/second-step/codes/file/")).split()[0]
    first, second = Client(), Client()
    sign_in(first, "lin")
    sign_in(second, "lin")
    assert first.post(CODE, {"code": code}).url == "/"
    assert "not valid" in text_of(second.post(CODE, {"code": code}))
    assert second.get("/").status_code == 302
