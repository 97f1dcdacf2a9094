"""Signing in and out, choosing a password, the second step: the pages as people meet them."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.fernet import Fernet
from django.contrib.auth import authenticate
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from kombu.exceptions import OperationalError
from pytest_django import Settings

from cqia_site.accounts import SecondFactorAdapter, find_person
from review import links, tasks
from review.models import User
from tests.accounts import PASSWORD, code_now, confirm, set_up_second_step, sign_in, signed_in, text_of

pytestmark = pytest.mark.django_db

NEW = "会当凌绝顶，一览众山小"


@pytest.fixture(autouse=True)
def _english(settings: Settings) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def with_mail(settings: Settings) -> None:
    """Set mail up, and do at once what is left to the worker."""
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.CELERY_TASK_ALWAYS_EAGER = True
    settings.CELERY_TASK_EAGER_PROPAGATES = True


@pytest.mark.parametrize("login", ["lin", "LIN", "lin@example.org", "Lin@Example.ORG", " lin "])
def test_name_or_address_signs_in_whatever_the_case(member: User, login: str) -> None:
    client = Client()
    assert sign_in(client, login).url == "/"
    assert client.get("/").status_code == 200


def test_an_address_that_looks_like_anothers_name_signs_in_nobody_else(member: User, mei: User) -> None:
    User.objects.filter(pk=mei.pk).update(email="lin")
    assert find_person("lin") == member


@pytest.mark.parametrize("login", ["", "nobody", "lin@nowhere.example", "x" * 300, "l\x00in"])
def test_who_is_not_known_does_not_get_in(member: User, login: str) -> None:
    answer = sign_in(Client(), login)
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies


def test_a_person_without_a_password_does_not_get_in(member: User) -> None:
    member.set_unusable_password()
    member.save()
    assert sign_in(Client(), "lin", member.password).status_code == 200
    assert authenticate(username="lin", password="") is None


def test_after_signing_in_the_way_leads_back_to_the_page(member: User) -> None:
    answer = Client().post("/account/login/", {"login": "lin", "password": PASSWORD, "next": "/review/?source=mba"})
    assert answer.url == "/review/?source=mba"


def test_who_is_signed_in_already_is_led_on(member: User) -> None:
    assert signed_in(member).get("/account/login/?next=/review/").url == "/review/"


def test_signing_out_ends_the_session(member: User) -> None:
    client = signed_in(member)
    assert client.get("/account/logout/").status_code == 405
    assert client.post("/account/logout/").url == "/account/login/"
    assert client.get("/").url == "/account/login/?next=/"


def test_nobody_registers_themselves(member: User) -> None:
    with pytest.raises(NoReverseMatch):
        reverse("account_signup")
    for address in ("signup", "email", "inactive", "confirm-email", "login/code", "3rdparty", "2fa/webauthn"):
        assert signed_in(member).get(f"/account/{address}/").status_code == 404


def test_a_password_is_changed_and_other_devices_are_signed_out(member: User) -> None:
    here, there = signed_in(member), signed_in(member)
    change = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert "This is not your password" in text_of(here.post("/account/password/", change | {"oldpassword": "x"}))
    assert "too common" in text_of(
        here.post("/account/password/", change | {"password1": "password123", "password2": "password123"})
    )
    assert here.post("/account/password/", change).status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert sign_in(Client(), "lin").status_code == 200
    assert sign_in(Client(), "lin", NEW).url == "/"


def link_for(person: User) -> str:
    return links.make_link(User.objects.get(pk=person.pk), "http://testserver/")


def choose(link: str, password: str = NEW) -> Any:
    """Open the link and choose a password there."""
    client = Client()
    first = client.get(link)
    return client.post(first.url, {"password1": password, "password2": password}) if first.status_code == 302 else first


def test_a_link_works_once(member: User) -> None:
    link = link_for(member)
    assert choose(link, "short").status_code == 200
    assert choose(link).url == "/account/password/chosen/"
    assert "not good any more" in text_of(choose(link))
    assert sign_in(Client(), "lin", NEW).url == "/"


def test_a_link_is_void_after_a_change_of_address_or_a_disabling(member: User) -> None:
    link = link_for(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert "not good any more" in text_of(choose(link))
    User.objects.filter(pk=member.pk).update(is_active=True, email="other@example.org")
    assert "not good any more" in text_of(choose(link))


def test_a_link_does_not_go_round_the_second_step(member: User) -> None:
    set_up_second_step(signed_in(member))
    choose(link_for(member))
    client = Client()
    assert sign_in(client, "lin", NEW).url == "/account/second-step/code/"
    assert client.get("/").status_code == 302


def test_the_secret_of_a_link_does_not_stay_in_the_address(member: User) -> None:
    client = Client()
    first = client.get(link_for(member))
    assert first.url.endswith("-set-password/")
    assert client.get(first.url)["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


@pytest.mark.usefixtures("with_mail")
def test_a_forgotten_password_is_replaced_by_a_link_in_the_mail(member: User, settings: Settings) -> None:
    answer = Client().post("/account/password/forgotten/", {"email": "LIN@example.org"})
    assert answer.url == "/account/password/sent/"
    (letter,) = mail.outbox
    assert letter.to == ["lin@example.org"]
    (link,) = re.findall(r"http://testserver/\S+", str(letter.body))
    assert choose(link).url == "/account/password/chosen/"


@pytest.mark.usefixtures("with_mail")
def test_a_letter_speaks_the_language_of_the_person(member: User) -> None:
    for language, word in (("zh-hans", "CQIA"), ("en", "works once")):
        User.objects.filter(pk=member.pk).update(language=language)
        tasks.mail_link(member.pk, "http://testserver/")
        assert word in str(mail.outbox[-1].body)


def test_without_mail_the_page_says_whom_to_ask(member: User) -> None:
    client = Client()
    assert "Ask a manager" in text_of(client.get("/account/password/forgotten/"))
    assert client.post("/account/password/forgotten/", {"email": "lin@example.org"}).status_code == 200


def test_the_second_step_is_asked_for_once_it_is_set_up(member: User) -> None:
    secret = set_up_second_step(signed_in(member))
    client = Client()
    assert sign_in(client, "lin").url == "/account/second-step/code/"
    assert "not valid" in text_of(client.post("/account/second-step/code/", {"code": "000000"}))
    answer = client.post("/account/second-step/code/", {"code": code_now(secret, steps=1)})
    assert answer.url == "/"
    assert client.get("/").status_code == 200


def test_the_second_step_is_changed_only_by_who_says_the_password_again(member: User) -> None:
    client = signed_in(member)
    page = "/account/second-step/app/activate/"
    assert client.get(page).url == f"/account/confirm/?next={page.replace('/', '%2F')}"
    assert "This is not your password" in text_of(confirm(client, "wrong"))
    confirm(client)
    assert client.get(page).status_code == 200


def test_recovery_codes_are_shown_and_sign_in(member: User) -> None:
    client = signed_in(member)
    set_up_second_step(client)
    codes = text_of(client.get("/account/second-step/codes/file/")).split()
    assert len(codes) == 10
    assert all(code in text_of(client.get("/account/second-step/codes/")) for code in codes)
    other = Client()
    sign_in(other, "lin")
    assert other.post("/account/second-step/code/", {"code": codes[0]}).url == "/"
    client.post("/account/second-step/codes/new/")
    assert codes[1] not in text_of(client.get("/account/second-step/codes/"))


def test_the_second_step_is_switched_off(member: User) -> None:
    client = signed_in(member)
    set_up_second_step(client)
    assert client.get("/account/second-step/").status_code == 200
    assert client.get("/account/second-step/app/deactivate/").status_code == 200
    assert client.post("/account/second-step/app/deactivate/").url == "/account/second-step/"
    assert not Authenticator.objects.exists()
    assert sign_in(Client(), "lin").url == "/"


def test_secrets_of_the_second_step_are_stored_encrypted(member: User) -> None:
    client = signed_in(member)
    secret = set_up_second_step(client)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert not any(code in stored for code in text_of(client.get("/account/second-step/codes/file/")).split())


def test_secrets_outlive_a_change_of_the_installations_secret(settings: Settings) -> None:
    adapter, before = SecondFactorAdapter(), settings.SECRET_KEY
    stored = adapter.encrypt("ABC")
    assert stored != adapter.encrypt("ABC")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-" + before, [before]
    assert adapter.decrypt(stored) == "ABC"
    assert adapter.decrypt(adapter.encrypt("DEF")) == "DEF"


def test_a_secret_that_cannot_be_read_any_more_is_a_wrong_code(member: User, settings: Settings) -> None:
    secret = set_up_second_step(signed_in(member))
    foreign = Fernet(Fernet.generate_key()).encrypt(secret.encode()).decode()
    Authenticator.objects.filter(type="totp").update(data={"secret": foreign})
    client = Client()
    sign_in(client, "lin")
    answer = client.post("/account/second-step/code/", {"code": code_now(secret, steps=1)})
    assert answer.status_code == 200
    assert "not valid" in text_of(answer)


def test_the_list_of_sessions_shows_each_and_ends_the_others(member: User) -> None:
    here = signed_in(member, headers={"User-Agent": "Here/1"})
    there = signed_in(member, headers={"User-Agent": "There/2"})
    page = text_of(here.get("/account/sessions/"))
    assert "Here/1" in page
    assert "There/2" in page
    assert here.post("/account/sessions/").status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert "There/2" not in text_of(here.get("/account/sessions/"))


def test_the_last_use_of_a_session_is_noted_now_and_then(member: User) -> None:
    client = signed_in(member)
    long_ago = timezone.now() - timezone.timedelta(days=1)
    UserSession.objects.update(last_seen_at=long_ago)
    client.get("/")
    noted = UserSession.objects.get().last_seen_at
    assert noted > long_ago
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get("/")
    assert not any("usersessions" in query["sql"] for query in queries)


def test_the_administration_has_no_door_of_its_own(chief: User, member: User) -> None:
    assert Client().get("/admin/", follow=True).redirect_chain[-1][0] == "/account/login/?next=/admin/"
    assert Client().get("/admin/login/").url == "/account/login/?next=/admin/"
    assert Client().post("/admin/login/", {"username": "gao", "password": PASSWORD}).status_code == 405
    reviewer, manager = signed_in(member), signed_in(chief)
    assert reviewer.get("/admin/").status_code == 403
    assert reviewer.get("/admin/login/").status_code == 403
    assert manager.get("/admin/").status_code == 200
    assert manager.get("/admin/password_change/").url == "/account/password/"
    assert manager.post("/admin/logout/").url == "/account/login/"
    assert manager.get("/admin/").status_code == 302


def test_the_administration_shows_no_secrets(chief: User, zhou: User) -> None:
    set_up_second_step(signed_in(chief))
    client = Client()
    client.force_login(zhou)
    page = text_of(client.get(f"/admin/review/user/{chief.pk}/change/"))
    assert chief.password not in page
    assert "md5$" not in page
    assert "Authenticator" not in text_of(client.get("/admin/"))
    for model in ("auth/group", "account/emailaddress", "mfa/authenticator", "usersessions/usersession"):
        assert client.get(f"/admin/{model}/").status_code == 404


def test_signing_in_answers_quickly_without_the_cache(member: User, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "cqia_site.cache.SteadyCache", "LOCATION": "redis://127.0.0.1:1/0", "KEY_PREFIX": "t"}
    }
    started = timezone.now()
    answers = [sign_in(Client(), "lin", "wrong") for _ in range(5)]
    assert sign_in(Client(), "lin").status_code == 200
    assert "Too many attempts" in text_of(sign_in(Client(), "lin"))
    assert all(answer.status_code == 200 for answer in answers)
    assert (timezone.now() - started).total_seconds() < 2


@pytest.mark.usefixtures("with_mail")
def test_without_the_broker_asking_for_a_link_says_so(member: User, settings: Settings, monkeypatch: Any) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.mail_links, "delay", fail)
    client = Client()
    asked = [
        client.post("/account/password/forgotten/", {"email": email}) for email in ("lin@example.org", "x@y.example")
    ]
    assert [answer.url for answer in asked] == ["/account/password/forgotten/"] * 2
    assert "Nothing could be sent" in text_of(client.get(asked[0].url))
