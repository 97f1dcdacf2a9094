"""Letting people in and out, and saying what they may do: the verbs, and the pages around them."""

import re
from threading import Barrier, Thread
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from exports.tokens import create_token
from review import access, claims, links, people
from review.models import Claim, Record, Role, Source, Token, User
from review.refused import Ground, Refused
from tests.accounts import PASSWORD, give_password, sign_in, signed_in, text_of
from tests.conftest import person as cast_person
from tests.factories import record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings: Settings) -> Any:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def fresh(person: User) -> User:
    return User.objects.get(pk=person.pk)


def browser(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_an_invited_person_has_what_was_said(gao: User, ruozhiba: Source) -> None:
    invited = people.invite_person(
        by=gao, name=" xu ", full_name="徐", email="Xu@Example.org", roles=["reviewer", "settler"], sources=[ruozhiba]
    )
    assert (invited.username, invited.first_name, invited.email) == ("xu", "徐", "xu@example.org")
    assert access.can_settle(fresh(invited))
    assert not access.can_manage(fresh(invited))
    assert access.limited_to(invited) == {ruozhiba.pk}
    assert (invited.is_staff, invited.is_superuser, invited.has_usable_password()) == (False, False, False)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, "letters"),
        ({"name": "a b"}, "letters"),
        ({"name": "a@b.example"}, "no @"),
        ({"name": "GAO"}, "has this name"),
        ({"email": "nowhere"}, "not an address"),
        ({"email": "GAO@example.org"}, "has this address"),
        ({"roles": ["king"]}, "no role"),
    ],
)
def test_an_invitation_that_cannot_be_is_refused(gao: User, fields: dict[str, Any], fault: str) -> None:
    User.objects.filter(pk=gao.pk).update(email="gao@example.org")
    said: dict[str, Any] = {"name": "xu", "email": "", "roles": []} | fields
    with pytest.raises(Refused, match=fault) as refused:
        people.invite_person(by=gao, **said)
    assert refused.value.ground == Ground.INVALID
    assert set(refused.value.fields) == set(fields)
    assert not User.objects.filter(username="xu").exists()


def test_managers_enter_the_administration_and_leave_it_with_their_role(zhou: User, lin: User) -> None:
    people.change_roles(by=zhou, person=lin, roles=["manager"])
    assert fresh(lin).is_staff
    people.change_roles(by=zhou, person=lin, roles=["reviewer"])
    assert not fresh(lin).is_staff


def attempts(by: User, person: User) -> dict[str, Any]:
    """Everything by which somebody is changed."""
    return {
        "roles": lambda: people.change_roles(by=by, person=person, roles=["manager", "settler"]),
        "sources": lambda: people.limit_sources(by=by, person=person, sources=[]),
        "disable": lambda: people.disable_person(by=by, person=person),
        "enable": lambda: people.enable_person(by=by, person=person),
        "sign out": lambda: people.end_sessions(by=by, person=person),
        "second factor": lambda: people.remove_second_factor(by=by, person=person),
        "link": lambda: people.check_link(by=by, person=person),
    }


@pytest.mark.parametrize("what", list(attempts(User(), User())))
def test_nobody_changes_themselves_or_who_stands_above(
    what: str, gao: User, zhou: User, shen: User, tao: User, lin: User
) -> None:
    out_of_reach = [(gao, gao), (gao, zhou), (zhou, zhou), (shen, lin), (tao, lin), (lin, lin)]
    for by, person in out_of_reach:
        with pytest.raises(Refused) as refused:
            attempts(fresh(by), fresh(person))[what]()
        assert refused.value.ground == Ground.FORBIDDEN


def test_a_name_and_an_address_are_changed_by_managers_their_own_as_well(gao: User, zhou: User, lin: User) -> None:
    for by, person in ((gao, lin), (gao, gao), (zhou, gao), (zhou, zhou)):
        people.change_details(by=by, person=person, name=person.username, full_name=f"by {by}", email="")
        assert fresh(person).first_name == f"by {by}"
    for by, person in ((gao, zhou), (lin, lin), (lin, gao)):
        with pytest.raises(Refused):
            people.change_details(by=fresh(by), person=person, name="x", full_name="", email="")


def test_only_administrators_make_administrators(gao: User, zhou: User, lin: User) -> None:
    with pytest.raises(Refused):
        people.change_roles(by=gao, person=lin, roles=[], is_administrator=True)
    with pytest.raises(Refused):
        people.invite_person(by=gao, name="xu", roles=[], is_administrator=True)
    people.change_roles(by=zhou, person=lin, roles=[], is_administrator=True)
    assert fresh(lin).is_superuser
    people.change_roles(by=zhou, person=lin, roles=["reviewer"])
    assert fresh(lin).is_superuser
    people.change_roles(by=zhou, person=lin, roles=["reviewer"], is_administrator=False)
    assert not fresh(lin).is_superuser


@pytest.mark.django_db(transaction=True)
def test_two_administrators_do_not_unmake_each_other() -> None:
    pair = [cast_person(name, is_superuser=True) for name in ("one", "two")]
    together, refusals = Barrier(2), []

    def unmake(by: User, person: User) -> None:
        together.wait()
        try:
            people.change_roles(by=by, person=person, roles=[], is_administrator=False)
        except Refused as refused:
            refusals.append(refused)
        finally:
            connection.close()

    threads = [Thread(target=unmake, args=both) for both in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals) == 1
    assert User.objects.filter(is_superuser=True).count() == 1


def test_disabling_frees_claims_ends_sessions_and_revokes_tokens(gao: User, lin: User, mei: User) -> None:
    first, second = record(), record()
    held = claims.claim_next(by=lin)
    assert held is not None
    Record.objects.filter(pk=second.pk).update(assignee=lin)
    client = signed_in(give_password(lin))
    create_token(user=lin, scopes=["export:read"])
    people.disable_person(by=gao, person=lin)
    assert not Claim.objects.exists()
    assert not Token.objects.exists()
    assert not UserSession.objects.exists()
    assert client.get("/").status_code == 302
    assert sign_in(Client(), "lin").status_code == 200
    assert {claims.claim_next(by=mei).record_id for _ in "x"} <= {first.pk, second.pk}  # type: ignore[union-attr]
    assert not Record.objects.filter(assignee=lin).exists()


def test_enabling_brings_no_session_back(gao: User, lin: User) -> None:
    client = signed_in(give_password(lin))
    people.disable_person(by=gao, person=lin)
    people.enable_person(by=gao, person=lin)
    assert client.get("/").status_code == 302
    assert sign_in(Client(), "lin").url == "/"


def test_a_role_taken_away_takes_its_records_along(gao: User, lin: User) -> None:
    record()
    claims.claim_next(by=lin)
    people.change_roles(by=gao, person=lin, roles=["settler"])
    assert Claim.objects.filter(reviewer=lin).exists()
    people.change_roles(by=gao, person=lin, roles=["consumer"])
    assert not Claim.objects.exists()
    with pytest.raises(Refused):
        claims.claim_next(by=fresh(lin))


def test_who_may_not_settle_any_more_holds_no_dispute(gao: User, shen: User) -> None:
    one, other = record(), record()
    claims.claim_record(by=shen, record=one)
    Claim.objects.filter(record=one).update(purpose=Claim.Purpose.SETTLE)
    claims.claim_record(by=shen, record=other)
    people.change_roles(by=gao, person=shen, roles=["reviewer"])
    assert [claim.record_id for claim in Claim.objects.all()] == [other.pk]


def test_a_limit_takes_away_what_lies_beyond_it(gao: User, lin: User, ruozhiba: Source, law_gee: Source) -> None:
    seen, unseen, assigned = record("ruozhiba"), record("law-gee"), record("law-gee")
    for each in (seen, unseen):
        claims.claim_record(by=lin, record=each)
    Record.objects.filter(pk=assigned.pk).update(assignee=lin)
    people.limit_sources(by=gao, person=lin, sources=[ruozhiba])
    assert [claim.record_id for claim in Claim.objects.all()] == [seen.pk]
    assert not Record.objects.filter(assignee=lin).exists()
    people.limit_sources(by=gao, person=lin, sources=[])
    assert access.can_see(fresh(lin), law_gee.pk)


def test_sessions_are_ended_and_the_second_step_removed(gao: User, lin: User) -> None:
    client = signed_in(give_password(lin))
    Authenticator.objects.create(user=lin, type="totp", data={"secret": "x"})
    people.remove_second_factor(by=gao, person=lin)
    people.end_sessions(by=gao, person=lin)
    assert not Authenticator.objects.exists()
    assert client.get("/").status_code == 302


def test_a_token_is_revoked_by_a_manager_even_their_own(gao: User, lin: User) -> None:
    for bearer in (gao, lin):
        token, _secret = create_token(user=bearer, scopes=["export:read"])
        people.revoke_token(by=gao, token=token)
    assert not Token.objects.exists()


def test_a_token_out_of_reach_is_not_revoked(gao: User, zhou: User, lin: User) -> None:
    token, _secret = create_token(user=zhou, scopes=["export:read"])
    for by in (gao, lin):
        with pytest.raises(Refused):
            people.revoke_token(by=by, token=token)


def test_no_link_is_made_for_who_was_shut_out(gao: User, lin: User) -> None:
    people.disable_person(by=gao, person=lin)
    with pytest.raises(Refused, match="Let them in again"):
        people.check_link(by=gao, person=fresh(lin))


def test_the_list_finds_people_by_part_of_a_name(gao: User, lin: User, mei: User) -> None:
    User.objects.filter(pk=mei.pk).update(first_name="梅兰芳")
    page = text_of(browser(gao).get("/review/people/", {"q": "兰"}))
    assert "mei" in page
    assert ">lin<" not in page
    assert "Nobody has such" in text_of(browser(gao).get("/review/people/?q=%25"))


def test_the_list_is_paged_and_asks_the_same_of_the_database_for_many(
    gao: User, django_assert_max_num_queries: Any
) -> None:
    User.objects.bulk_create(User(username=f"person{number:03}") for number in range(120))
    client = browser(gao)
    client.get("/review/people/")
    with django_assert_max_num_queries(12):
        page = text_of(client.get("/review/people/?page=3"))
    assert "Page 3 of 3" in page
    assert "person119" in page
    assert client.get("/review/people/?page=1e999").status_code == 200


def invitation(**fields: Any) -> dict[str, Any]:
    return {"name": "xu", "roles": ["reviewer"]} | fields


def test_an_invitation_without_mail_shows_a_link_that_lets_the_person_in(gao: User) -> None:
    manager = browser(gao)
    assert manager.get("/review/people/invite/").status_code == 200
    answer = manager.post("/review/people/invite/", invitation())
    (link,) = re.findall(r'value="(http://testserver/account/[^"]+)"', text_of(answer))
    assert "no-store" in answer["Cache-Control"]
    newcomer = Client()
    choose = newcomer.get(link).url
    assert "xu" in text_of(newcomer.get(choose))
    newcomer.post(choose, {"password1": PASSWORD, "password2": PASSWORD})
    assert sign_in(newcomer, "xu").url == "/"
    assert newcomer.get("/review/").status_code == 200


def test_an_invitation_with_mail_is_sent_and_not_shown(gao: User, settings: Settings) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.CELERY_TASK_ALWAYS_EAGER = True
    manager = browser(gao)
    answer = manager.post("/review/people/invite/", invitation(email="xu@example.org"))
    xu = User.objects.get(username="xu")
    assert answer.url == f"/review/people/{xu.pk}/"
    (letter,) = mail.outbox
    assert letter.subject == "You are invited to CQIA"
    assert "http://testserver/account/password/choose/" in str(letter.body)
    assert "xu@example.org" in text_of(manager.get(answer.url))


def test_an_invitation_that_is_refused_keeps_what_was_typed(gao: User, ruozhiba: Source) -> None:
    answer = browser(gao).post(
        "/review/people/invite/",
        invitation(name="gao", full_name="徐霞客", email="x@y.example", sources=[ruozhiba.pk]),
    )
    page = text_of(answer)
    assert answer.status_code == 422
    assert 'value="徐霞客"' in page
    assert 'value="reviewer" checked' in page
    assert f'value="{ruozhiba.pk}" checked' in page
    assert "Somebody else has this name" in page


def verbs(person: User) -> dict[str, dict[str, Any]]:
    return {
        "change-details": {"name": "lin", "full_name": "林", "email": "lin@example.org"},
        "change-roles": {"roles": ["reviewer", "settler"]},
        "limit-sources": {"sources": [Source.objects.get(slug="ruozhiba").pk]},
        "sign-out": {},
        "remove-second-factor": {},
        "disable": {},
        "enable": {},
    }


def test_the_page_of_a_person_does_what_its_buttons_say(gao: User, lin: User) -> None:
    manager = browser(gao)
    for verb, said in verbs(lin).items():
        answer = manager.post(f"/review/people/{lin.pk}/{verb}/", said)
        assert answer.url == f"/review/people/{lin.pk}/"
        assert manager.get(answer.url).status_code == 200
    changed = fresh(lin)
    assert (changed.first_name, changed.email, changed.is_active) == ("林", "lin@example.org", True)
    assert access.roles(changed) == {Role.REVIEWER, Role.SETTLER}
    assert {source.slug for source in changed.sources.all()} == {"ruozhiba"}


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("change-details", {"name": "gao"}),
        ("change-details", {"name": ""}),
        ("change-roles", {"roles": ["king"]}),
        ("limit-sources", {"sources": ["9" * 30]}),
        ("limit-sources", {"sources": ["x"]}),
    ],
)
def test_what_cannot_be_saved_is_said_on_the_page(gao: User, lin: User, verb: str, said: dict[str, Any]) -> None:
    answer = browser(gao).post(f"/review/people/{lin.pk}/{verb}/", said)
    assert answer.status_code == 422
    assert 'role="alert"' in text_of(answer)


def test_a_manager_reads_their_own_page_and_that_of_an_administrator_only(gao: User, zhou: User) -> None:
    for person in (gao, zhou):
        page = text_of(browser(gao).get(f"/review/people/{person.pk}/"))
        assert "change-roles" not in page
        assert ("change-details" in page) == (person == gao)
        assert browser(gao).post(f"/review/people/{person.pk}/change-roles/", {"roles": ["settler"]}).status_code == 403


def test_tokens_are_listed_by_their_beginning_and_revoked(gao: User, tao: User) -> None:
    token, secret = create_token(user=tao, scopes=["export:read"], days=3)
    manager = browser(gao)
    page = text_of(manager.get(f"/review/people/{tao.pk}/"))
    assert secret[:8] in page
    assert secret not in page
    elsewhere = manager.post(f"/review/people/{gao.pk}/revoke-token/", {"token": token.pk})
    assert elsewhere.status_code == 404
    assert manager.post(f"/review/people/{tao.pk}/revoke-token/", {"token": token.pk}).status_code == 303
    assert not Token.objects.exists()


def test_a_link_for_a_new_password_is_made_on_the_page(gao: User, lin: User) -> None:
    answer = browser(gao).post(f"/review/people/{lin.pk}/make-link/")
    assert "/account/password/choose/" in text_of(answer)
    assert links.has_mail() is False


def test_only_managers_see_people(lin: User, shen: User, tao: User) -> None:
    for person in (lin, shen, tao):
        assert browser(person).get("/review/people/").status_code == 403
        assert browser(person).get(f"/review/people/{lin.pk}/").status_code == 403
        assert "/review/people/" not in text_of(browser(person).get("/"))
