"""Being let in, signing in with a second step, and the pages around people, in a real browser."""

import pytest
from django.contrib import admin
from pytest_django import Settings

from exports.tokens import create_token
from review import links, people
from review.models import User
from tests.accounts import PASSWORD, code_now, give_password
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, each_look, serious, stays_within
from tests.browser.test_layout import LONG
from tests.factories import approve, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_a_person_is_invited_comes_in_and_sets_up_a_second_step(open_page: OpenPage, gao: User) -> None:
    manager = open_page(gao)
    manager.goto("/")
    manager.locator(".manage summary").click()
    manager.get_by_role("link", name="People").click()
    manager.get_by_role("link", name="Invite somebody").click()
    manager.get_by_label("Name for signing in").fill("xu")
    manager.get_by_role("checkbox", name="reviewer").first.check()
    manager.get_by_role("button", name="Invite").click()
    link = manager.get_by_label("Link").input_value()

    newcomer = open_page()
    newcomer.goto(link)
    newcomer.get_by_label("New password").fill(PASSWORD)
    newcomer.get_by_label("The same once more").fill(PASSWORD)
    newcomer.get_by_role("button", name="Save the password").click()
    newcomer.get_by_role("link", name="Sign in").click()
    newcomer.get_by_label("Name or e-mail address").fill("xu")
    newcomer.get_by_label("Password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Sign in").click()
    newcomer.get_by_role("link", name="Review").wait_for()

    newcomer.locator(".me summary").click()
    newcomer.get_by_role("link", name="Your account").click()
    newcomer.get_by_role("link", name="Second step").click()
    newcomer.get_by_role("link", name="Set up an authenticator app").click()
    newcomer.get_by_label("Password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Go on").click()
    secret = newcomer.locator("code.secret").inner_text()
    newcomer.get_by_label("Code").fill(code_now(secret))
    newcomer.get_by_role("button", name="Switch on").click()
    assert newcomer.locator(".codes li").count() == 10

    newcomer.locator(".me summary").click()
    newcomer.get_by_role("button", name="Sign out").click()
    newcomer.get_by_label("Name or e-mail address").fill("XU")
    newcomer.get_by_label("Password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Sign in").click()
    newcomer.get_by_label("Code").fill(code_now(secret, steps=1))
    newcomer.get_by_role("button", name="Sign in").click()
    newcomer.get_by_role("link", name="Review").wait_for()


def test_a_manager_disables_a_person_from_their_page(open_page: OpenPage, gao: User, lin: User) -> None:
    page = open_page(gao)
    page.goto("/review/people/?q=lin")
    page.get_by_role("link", name="lin").click()
    page.locator("summary", has_text="Disable").click()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Enable").wait_for()
    lin.refresh_from_db()
    assert not lin.is_active


@each_look
def test_pages_of_accounts_fit_and_hinder_nobody(
    open_page: OpenPage, gao: User, lin: User, zhou: User, look: str
) -> None:
    for number in range(3):
        people.invite_person(by=None, name="长" * 60 + str(number), full_name=LONG[:150], roles=["reviewer", "settler"])
    create_token(user=lin, scopes=["export:read", "ingest:write"])
    link = people_link(lin)
    stranger, page = open_page(**LOOKS[look]), open_page(give_password(gao), **LOOKS[look])
    for address in ("/account/login/", "/account/password/forgotten/", "/account/password/sent/", link, link + "x/"):
        stranger.goto(address)
        assert (stays_within(stranger), serious(stranger)) == (True, []), address
    page.goto("/account/confirm/")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button.primary").click()
    own = ("password/", "second-step/", "second-step/app/activate/", "sessions/")
    for address in (
        *(f"/account/{name}" for name in own),
        "/review/people/",
        "/review/people/invite/",
        *(f"/review/people/{person.pk}/" for person in (lin, gao, zhou)),
    ):
        page.goto(address)
        assert (stays_within(page), serious(page)) == (True, []), address


def people_link(person: User) -> str:
    return links.make_link(User.objects.get(pk=person.pk), "/")


def test_the_administration_keeps_to_the_content_policy(open_page: OpenPage, zhou: User, lin: User) -> None:
    approve(record(), lin)
    page = open_page(zhou)
    names = [(model._meta.app_label, model._meta.model_name) for model in admin.site._registry]
    for app, model in names:
        page.goto(f"/admin/{app}/{model}/")
        page.locator("#changelist").wait_for()
    page.goto("/admin/")
    page.locator("#main .dashboard").wait_for()
    for address in (f"/admin/review/user/{lin.pk}/change/", "/admin/review/label/add/"):
        page.goto(address)
        page.locator("#content").wait_for()
