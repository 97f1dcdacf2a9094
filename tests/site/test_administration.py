"""The lists and forms of the administration: for whom, in whose words, and what they refuse."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import translation

from ingest.models import Job, Mapping
from review import people, retractions, search, sending_back
from review.admin import HistoryAdmin, ManagerAdmin
from review.models import Category, Decision, Label, Record, Rights, Role, Source, User
from review.refused import Refused
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

CHINESE = re.compile("[一-鿿]")
THE_SAME_IN_BOTH = {"ID", "sha256", "SHA-256"}
LIMITED = ("source", "record", "decision", "move", "revision", "batch", "withdrawal", "rights", "retraction")


@pytest.fixture
def manager(client: Client, gao: User) -> Client:
    client.force_login(gao)
    return client


def filled_in(source: Source, **other: Any) -> dict[str, Any]:
    """Return the form of a source as a browser sends it."""
    as_is = {name: getattr(source, name) for name in ("name_zh", "name_en", "position", "address", "target")}
    words = {name: ",".join(getattr(source, name)) for name in ("major", "minor", "domain")}
    rest = {"category": source.category_id, "methods": source.methods, "answer_from": source.answer_from}
    return as_is | words | rest | {"is_active": "on"} | other


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def listed(client: Client, model: str) -> list[Any]:
    return list(client.get(f"/admin/review/{model}/").context["cl"].result_list)


def test_every_list_has_words_of_the_language_a_search_and_no_row_that_can_be_deleted(manager: Client) -> None:
    for model, page in admin.site._registry.items():
        assert isinstance(page, ManagerAdmin)
        assert page.list_display != ("__str__",), model
        assert page.search_fields or page.list_filter, model
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for language in ("zh-hans", "en"):
            assert manager.get(f"{address}?q=1", headers={"accept-language": language}).status_code == 200, address
        if isinstance(page, HistoryAdmin):
            assert manager.get(f"{address}add/").status_code == 403
    with translation.override("zh-hans"):
        for model, page in admin.site._registry.items():
            names = [model._meta.verbose_name, model._meta.verbose_name_plural]
            left_out = page.exclude or ()
            names += [field.verbose_name for field in model._meta.concrete_fields if field.name not in left_out]
            assert {str(name) for name in names if not CHINESE.search(str(name))} <= THE_SAME_IN_BOTH, model


def test_nothing_is_deleted_and_no_row_of_the_history_is_changed(manager: Client, lin: User) -> None:
    batch = add_records("ruozhiba", [candidate()])
    approve(batch.records.get(), lin)
    decision, source = Decision.objects.get(), Source.objects.get(slug="ruozhiba")
    for page in (f"decision/{decision.pk}/change/", f"decision/{decision.pk}/delete/", f"source/{source.pk}/delete/"):
        assert manager.post(f"/admin/review/{page}", {"verdict": "reject", "post": "yes"}).status_code == 403, page
    chosen = {"action": "delete_selected", "_selected_action": [source.pk], "post": "yes"}
    manager.post("/admin/review/source/", chosen)
    assert Source.objects.filter(pk=source.pk).exists()
    assert Decision.objects.get().verdict == "approve"


def test_a_manager_raises_neither_themselves_nor_anybody_by_the_administration(manager: Client, gao: User) -> None:
    address = f"/admin/review/user/{gao.pk}/change/"
    assert manager.post(address, {"is_superuser": "on", "username": "gao"}).status_code == 403
    assert manager.post("/admin/review/user/add/", {"username": "new", "is_superuser": "on"}).status_code == 403
    gao.refresh_from_db()
    assert not gao.is_superuser
    with pytest.raises(Refused):
        people.change_roles(by=gao, person=gao, roles=[*Group.objects.values_list("name", flat=True)])


@pytest.mark.parametrize("model", LIMITED)
def test_40_a_manager_limited_to_sources_finds_the_rows_of_those_alone(
    manager: Client, gao: User, lin: User, model: str
) -> None:
    for slug in ("ruozhiba", "mba"):
        batch = add_records(slug, [candidate()], licence="CC0-1.0")
        given = batch.records.get()
        approve(given, lin)
        sending_back.send_back(by=gao, records=[given.pk], reason="再看一遍")
        retractions.retract(add_records(slug, [candidate()]), by=None, reason="x")
    everything = listed(manager, model)
    gao.sources.set(Source.objects.filter(slug="mba"))
    seen = listed(manager, model)
    assert 0 < len(seen) < len(everything)
    hidden = next(row for row in everything if row not in seen)
    assert manager.get(f"/admin/review/{model}/{hidden.pk}/change/").status_code in {302, 404}


def test_40_imports_of_other_sources_are_not_listed_either(manager: Client, gao: User) -> None:
    for slug in ("ruozhiba", "mba"):
        Mapping.objects.create(source=Source.objects.get(slug=slug), name=slug, spec={})
    gao.sources.set(Source.objects.filter(slug="mba"))
    assert [found.name for found in manager.get("/admin/ingest/mapping/").context["cl"].result_list] == ["mba"]
    assert not Job.objects.exists()
    assert manager.get("/admin/ingest/reject/").status_code == 200
    assert not Rights.objects.exists()


def test_a_source_keeps_its_name_and_what_is_tried_out_elsewhere(manager: Client) -> None:
    source = Source.objects.get(slug="zhihu")
    before = (source.slug, source.rules, source.thresholds, source.templates, source.second_looks, source.rights)
    address = reverse("admin:review_source_change", args=[source.pk])
    sent = filled_in(source, target=77, slug="other", rules="[1]", thresholds='"x"', templates="3", second_looks=900)
    assert manager.post(address, sent).status_code == 302
    source.refresh_from_db()
    assert source.target == 77
    now = (source.slug, source.rules, source.thresholds, source.templates, source.second_looks, source.rights)
    assert now == before
    shown = manager.get(address).content.decode()
    for page in ("rights", "rules", "second-looks", "copyright-text"):
        assert f'href="/review/sources/zhihu/{page}/"' in shown
    assert 'href="/review/guidelines/zhihu/"' in shown
    assert manager.get("/admin/review/source/?category__id__exact=1&q=知").status_code == 200


def test_a_source_is_added_with_words_of_the_vocabulary_alone(manager: Client) -> None:
    Label.objects.create(kind="domain", name="茶")
    merged = Label.objects.create(kind="domain", name="茗", alias_of=Label.objects.get(name="茶"))
    source = Source.objects.get(slug="zhihu")
    new = filled_in(source, slug="tea", name_zh="茶经", name_en="Tea", major="", minor="")
    for words in ("酒", merged.name):
        answer = manager.post("/admin/review/source/add/", new | {"domain": f"茶,{words}"})
        assert words in errors(answer)["domain"][0]
        assert "茶、" not in errors(answer)["domain"][0]
    assert "methods" in errors(manager.post("/admin/review/source/add/", new | {"domain": "茶", "methods": ["magic"]}))
    assert manager.post("/admin/review/source/add/", new | {"domain": "茶, 茶"}).status_code == 302
    assert Source.objects.get(slug="tea").domain == ["茶"]


def test_a_label_that_records_bear_is_not_renamed(manager: Client) -> None:
    add_records("ruozhiba", [candidate(domain=("医学",))])
    while search.index_next():
        pass
    borne, free = (Label.objects.create(kind="domain", name=name) for name in ("医学", "医疗"))
    address = "/admin/review/label/{}/change/"
    answer = manager.post(address.format(borne.pk), {"kind": "domain", "name": "医药"})
    assert errors(answer).keys() == {"name"}
    assert manager.post(address.format(free.pk), {"kind": "domain", "name": "医药"}).status_code == 302
    assert set(Record.objects.values_list("revision__domain", flat=True).distinct()[0]) == {"医学"}


def test_a_label_is_merged_into_one_of_its_kind_and_never_in_a_circle(manager: Client) -> None:
    one, two, three = (Label.objects.create(kind="domain", name=name) for name in ("一", "二", "三"))
    other = Label.objects.create(kind="major", name="一")

    def merge(label: Label, into: Label) -> Any:
        sent = {"kind": label.kind, "name": label.name, "alias_of": into.pk}
        return manager.post(f"/admin/review/label/{label.pk}/change/", sent)

    assert errors(merge(one, other)).keys() == {"alias_of"}
    assert errors(merge(one, one)).keys() == {"alias_of"}
    assert merge(one, two).status_code == merge(two, three).status_code == 302
    assert errors(merge(three, one)).keys() == {"alias_of"}
    assert manager.get("/admin/review/label/?alias_of__isempty=0").context["cl"].result_count == 2


def test_a_category_keeps_its_name(manager: Client) -> None:
    category = Category.objects.get(slug=Source.objects.get(slug="zhihu").category.slug)
    sent = {"slug": "other", "name_zh": "新名", "name_en": "New name", "position": 3}
    assert manager.post(f"/admin/review/category/{category.pk}/change/", sent).status_code == 302
    changed = Category.objects.get(pk=category.pk)
    assert (changed.slug, changed.name_zh, changed.position) == (category.slug, "新名", 3)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.SETTLER, Role.CONSUMER])
def test_nobody_else_gets_in(client: Client, role: Role) -> None:
    person = User.objects.create(username="other")
    person.groups.add(Group.objects.get(name=role))
    client.force_login(person)
    assert client.get("/admin/review/source/").status_code == 403
