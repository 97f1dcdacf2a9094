"""The history of what managers set up: complete, with its author, unchangeable, and longer-lived than accounts."""

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import translation

from exports.models import Policy
from exports.tokens import create_token
from review import people, retractions, sealing, search
from review.models import Label, RoleGiven, Scope, Source, User
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def events(model: type) -> list[tuple[str, dict[str, str] | None]]:
    return list(model.pgh_event_model.objects.order_by("pgh_id").values_list("pgh_label", "pgh_context"))


@pytest.fixture
def manager(client: Client, gao: User) -> Client:
    client.force_login(gao)
    return client


def test_a_change_in_the_administration_says_who_and_from_where(manager: Client, gao: User) -> None:
    label = Label.objects.create(kind="domain", name="医学")
    address = f"/admin/review/label/{label.pk}/change/"
    manager.post(address, {"kind": "domain", "name": "医疗"})
    added, changed = events(Label)[-2:]
    assert added == ("added", None)
    assert changed == (
        "changed",
        {"person": gao.pk, "name": "gao", "address": address, "network": "127.0.0.1"},
    )


def test_before_a_label_becomes_an_alias_it_is_said_how_many_records_that_concerns(manager: Client, lin: User) -> None:
    batch = add_records("ruozhiba", [candidate(domain=("医学",)) for _number in range(3)] + [candidate()])
    approve(batch.records.order_by("pk")[0], lin)
    retractions.retract(add_records("mba", [candidate(domain=("医学",))]), by=None, reason="x")
    while search.index_next():
        pass
    one, other = (Label.objects.create(kind="domain", name=name) for name in ("医学", "医疗"))
    address = f"/admin/review/label/{one.pk}/change/"
    said = "3 records bear it, 1 of them approved."
    assert said in manager.get(address, headers={"Accept-Language": "en"}).content.decode()
    manager.post(address, {"kind": "domain", "name": "医学", "alias_of": other.pk})
    one.refresh_from_db()
    assert one.alias_of == other
    assert said in manager.get(address, headers={"Accept-Language": "en"}).content.decode()


def test_a_statement_by_hand_is_kept_as_well(ruozhiba: Source) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE review_source SET target = 7 WHERE id = %s", [ruozhiba.pk])
    event = Source.pgh_event_model.objects.latest("pgh_id")
    assert (event.pgh_label, event.target, event.pgh_obj_id) == ("changed", 7, ruozhiba.pk)


def test_roles_tokens_and_people_are_kept_and_no_secret_is(gao: User, tao: User) -> None:
    people.change_roles(by=gao, person=tao, roles=["consumer", "reviewer"])
    token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    token.delete()
    assert RoleGiven.pgh_event_model.objects.filter(user=tao, group__name="reviewer", pgh_label="added").exists()
    labels = [label for label, _context in events(type(token))]
    assert labels == ["added", "removed"]
    with connection.cursor() as cursor:
        for table in ("review_tokenevent", "review_userevent"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            rows = str(cursor.fetchall())
            assert secret not in rows
            assert "pbkdf2" not in rows


def test_an_account_that_goes_takes_no_history_along(manager: Client, gao: User) -> None:
    newcomer = User.objects.create(username="newcomer")
    newcomer.groups.add(Group.objects.get(name="reviewer"))
    number = newcomer.pk
    newcomer.delete()
    assert [label for label, _context in events(User)][-2:] == ["added", "removed"]
    assert set(RoleGiven.pgh_event_model.objects.filter(user_id=number).values_list("pgh_label", flat=True)) == {
        "added",
        "removed",
    }
    assert "newcomer" in manager.get("/review/changes/?kind=person").content.decode()


def test_it_is_append_only_and_sealed(ruozhiba: Source) -> None:
    ruozhiba.target = 9
    ruozhiba.save(update_fields=["target"])
    event = Source.pgh_event_model.objects.latest("pgh_id")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Source.pgh_event_model.objects.filter(pk=event.pk).update(target=1)
    sealing.seal()
    assert not [problem for problem in sealing.verify() if "source" in problem]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE review_sourceevent SET target = 1 WHERE pgh_id = %s", [event.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert len([problem for problem in sealing.verify() if f"source {event.pk}" in problem]) == 1


def test_a_column_that_comes_later_leaves_the_seals_as_they_are(ruozhiba: Source) -> None:
    ruozhiba.target = 9
    ruozhiba.save(update_fields=["target"])
    sealing.seal()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE review_sourceevent ADD COLUMN later jsonb NOT NULL DEFAULT '{}'")
    assert not [problem for problem in sealing.verify() if "source" in problem]


def test_the_page_shows_what_was_changed(manager: Client, ruozhiba: Source) -> None:
    Policy.objects.filter(slug="open").update(name_en="Open!")
    shown = manager.get("/review/changes/?kind=policy").content.decode()
    assert "Open!" in shown
    assert manager.get("/review/changes/").status_code == 200
    assert manager.get("/review/changes/?kind=nonsense&page=999").status_code == 200


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_administration_leads_to_the_changes_of_one_thing(manager: Client, language: str) -> None:
    changed, other = Source.objects.get(slug="ruozhiba"), Source.objects.get(slug="zhihu")
    for source, target in ((changed, 431), (other, 977)):
        source.target = target
        source.save(update_fields=["target"])
    page = manager.get(
        f"/admin/review/source/{changed.pk}/history/", follow=True, headers={"accept-language": language}
    )
    assert page.redirect_chain == [(f"/review/changes/?kind=source&of={changed.pk}", 302)]
    shown = page.content.decode()
    assert "431" in shown
    assert "977" not in shown
    with translation.override(language):
        assert str(Source._meta.get_field("target").verbose_name) in shown
    assert "977" in manager.get("/review/changes/?kind=source").content.decode()
    assert manager.get(f"/admin/review/guideline/{changed.pk}/history/").status_code in {200, 302}
