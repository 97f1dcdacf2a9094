"""Managers see and change the prompt templates of a source; what could make a faulty question is refused."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ingest import prompts, wordings
from review.models import Source, User
from review.refused import Ground, Refused

pytestmark = [pytest.mark.django_db]

ADDRESS = reverse("ingest:templates", args=["mba"])
FIVE = [f"请介绍{{quoted}}，之{number}。" for number in "一二三四五"]


@pytest.fixture
def mba() -> Source:
    return Source.objects.get(slug="mba")


@pytest.fixture
def manager(client: Client, gao: User) -> Client:
    client.force_login(gao)
    return client


def sent(**more: Any) -> dict[str, Any]:
    shipped = {kind.name: "\r\n".join(kind.templates) for kind in prompts.shipped_for("mba")}
    return {"seen": "{}", **shipped, **more}


def test_page_shows_the_templates_and_what_they_make(manager: Client) -> None:
    answer = manager.get(ADDRESS, headers={"Accept-Language": "en"}).content.decode()
    for kind in prompts.shipped_for("mba"):
        assert kind.templates[0] in answer
        for _template, question in prompts.examples(kind):
            assert question in answer
            assert "{" not in question
    assert "《四季》" not in answer


def test_changed_templates_are_kept_and_those_of_ours_are_not_copied(manager: Client, mba: Source) -> None:
    answer = manager.post(ADDRESS, sent(concept="\n".join(["", *FIVE, "  "])))
    assert (answer.status_code, answer.headers["Location"]) == (303, ADDRESS)
    mba.refresh_from_db()
    assert mba.templates == {"concept": FIVE}
    assert "之三" in manager.get(ADDRESS).content.decode()
    manager.post(ADDRESS, sent(concept="", seen=json.dumps(mba.templates)))
    mba.refresh_from_db()
    assert mba.templates == {}


def test_trying_changes_nothing_and_shows_the_questions(manager: Client, mba: Source) -> None:
    answer = manager.post(ADDRESS, sent(concept="\n".join(FIVE), **{"try": "1"}))
    assert (answer.status_code, "请介绍“四季”，之五。" in answer.content.decode()) == (200, True)
    mba.refresh_from_db()
    assert mba.templates == {}


@pytest.mark.parametrize(("language", "sentence"), [("en", "bring their own"), ("zh-hans", "自带标点")])
def test_fault_is_shown_at_its_field_in_the_language_of_the_reader(
    manager: Client, mba: Source, language: str, sentence: str
) -> None:
    typed = "\n".join([*FIVE[:4], "请介绍《{title}》"])
    answer = manager.post(ADDRESS, sent(concept=typed), headers={"Accept-Language": language})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "请介绍《{title}》" in answer.content.decode()
    mba.refresh_from_db()
    assert mba.templates == {}


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The kind “book review” has 2 templates."), ("zh-hans", "“书评”只有 2 个模板。")],
)
def test_a_kind_is_called_as_the_field_above_calls_it(manager: Client, language: str, sentence: str) -> None:
    typed = {kind.name: "\n".join(kind.templates) for kind in prompts.shipped_for("douban")}
    typed |= {"book-review": "\n".join(FIVE[:2]), "seen": "{}"}
    address = reverse("ingest:templates", args=["douban"])
    answer = manager.post(address, typed, headers={"Accept-Language": language})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("broken", [{"concept": FIVE[:2]}, {"concept": FIVE * 9}, {"concept": [1]}, {"nothing": FIVE}])
def test_no_kind_is_told_by_its_inner_name(broken: dict[str, Any], language: str) -> None:
    with pytest.raises(prompts.Unsound) as caught:
        prompts.kinds_of("mba", broken)
    message = caught.value.message(language)
    assert ("concept" if language == "en" else "概念") in message
    assert ("概念" if language == "en" else "concept") not in message


@pytest.mark.parametrize(
    "seen", ['{"concept": []}', "", "not json", "[" * 5000, pytest.param("[" * 100_000, id="deep"), '{"a": "\\ud800"}']
)
def test_change_of_somebody_else_is_not_overwritten(manager: Client, mba: Source, seen: str) -> None:
    answer = manager.post(ADDRESS, sent(concept="\n".join(FIVE), seen=seen))
    assert answer.status_code in {409, 422}
    mba.refresh_from_db()
    assert mba.templates == {}


def test_templates_that_cannot_be_used_are_shown_with_the_reason(manager: Client, mba: Source) -> None:
    for broken in ({"concept": "text"}, {"nothing": FIVE}, {"concept": [1]}):
        Source.objects.filter(pk=mba.pk).update(templates=broken)
        assert manager.get(ADDRESS).status_code == 200


def test_only_managers_may(client: Client, lin: User, gao: User, mba: Source, law_gee: Source) -> None:
    client.force_login(lin)
    assert client.get(ADDRESS).status_code == 403
    with pytest.raises(Refused) as caught:
        wordings.set_templates(mba, by=lin, templates={}, seen={})
    assert caught.value.ground == Ground.FORBIDDEN
    gao.sources.set([law_gee])
    client.force_login(gao)
    assert client.get(ADDRESS).status_code == 404
    assert client.get(reverse("ingest:templates", args=["nowhere"])).status_code == 404
