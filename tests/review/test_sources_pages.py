import re
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from review import decisions, retractions, rights
from review.models import Batch, Licence, Record, Rights, Source, User, Verdict
from review.templatetags.figure_tags import grouped, per_cent_of
from review.views.figures import figures_of, followers_of, objected_to
from tests.factories import add_records, approve, candidate, judgement, record

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("english")]

SOURCES = "/review/sources/"
RIGHTS = "/review/sources/ruozhiba/rights/"
HTMX = {"HX-Request": "true"}
SAID = {"licence": "CC-BY-4.0", "holder": "某站", "evidence": "许可页\n第二行"}


@pytest.fixture
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def manager(gao: User) -> Client:
    return signed_in(gao)


def seen(answer: "Answer") -> str:
    """The page as a person reads it: without tags, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def hidden_fields(answer: "Answer") -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.content.decode())
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def confirm(client: Client, address: str = RIGHTS, **said: str) -> "Answer":
    """Fill in the form, look at what it changes, and confirm."""
    preview = client.post(address, SAID | said)
    assert preview.status_code == 200
    return client.post(address, hidden_fields(preview) | {"confirmed": "on"})


# Figures


def test_figures_count_every_state_once(lin: User, gao: User, ruozhiba: Source) -> None:
    approve(record(), lin)
    decisions.decide(by=lin, record=(given := record()).pk, judgement=judgement(given, Verdict.REJECT))
    decisions.decide(by=lin, record=(given := record()).pk, judgement=judgement(given, Verdict.ESCALATE))
    decisions.decide(
        by=lin, record=(given := record()).pk, judgement=judgement(given, Verdict.REWRITE, output="新答案")
    )
    add_records("ruozhiba", [candidate(), candidate(output="")])
    retractions.retract(add_records("ruozhiba", [candidate(), candidate()]), by=gao, reason="错了")
    Record.objects.filter(pk=record().pk).update(assignee=lin)
    figures = figures_of([ruozhiba.pk])[ruozhiba.pk]
    assert figures.candidates == 7
    assert (figures.approved, figures.rejected, figures.gone) == (1, 1, 2)
    assert (figures.waiting, figures.unanswered, figures.disputed) == (5, 1, 1)


def test_figures_of_an_empty_source_are_zero(law_gee: Source) -> None:
    figures = figures_of([law_gee.pk])[law_gee.pk]
    assert (figures.candidates, figures.waiting, figures.approved, figures.rejected) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, ""), (0, 9, "0%"), (1, 1000, "<1%"), (1, 2, "50%"), (999, 1000, "99%"), (9, 9, "100%"), (12, 9, "133%")],
)
def test_per_cent_claims_neither_all_nor_nothing_too_early(part: int, whole: int, said: str) -> None:
    assert per_cent_of(part, whole) == said


def test_figures_are_grouped_by_three_in_both_languages() -> None:
    assert grouped(1234567) == "1,234,567"


# The list


def test_list_shows_every_source_by_category(manager: Client, lin: User) -> None:
    approve(record(), lin)
    record()
    answer = manager.get(SOURCES)
    shown = seen(answer)
    assert len(answer.context["rows"]) == Source.objects.count() == 22
    assert "Ruozhiba 240 2 1 0 1 &lt;1% unknown" in shown
    assert "1 approved, of a target of 45,615" in shown


def test_list_asks_the_database_equally_often_at_any_size(manager: Client) -> None:
    manager.get(SOURCES)
    with CaptureQueriesContext(connection) as few:
        manager.get(SOURCES)
    for source in ("ruozhiba", "zhihu", "mba"):
        add_records(source, [candidate() for _ in range(5)], licence="CC0-1.0")
    with CaptureQueriesContext(connection) as many:
        manager.get(SOURCES)
    asked = [query["sql"] for query in many if "review_record" in query["sql"]]
    assert len(asked) == 1
    assert len(few) == len(many) <= 6


def test_list_names_imports_with_rights_of_their_own(manager: Client) -> None:
    add_records("ruozhiba", [candidate()], licence="CC0-1.0")
    assert "1 import differs" in seen(manager.get(SOURCES))


def test_reviewers_see_only_the_sources_that_they_work_on(lin: User, ruozhiba: Source) -> None:
    lin.sources.add(ruozhiba)
    client = signed_in(lin)
    assert [row.source for row in client.get(SOURCES).context["rows"]] == [ruozhiba]
    assert client.get("/review/sources/ruozhiba/").status_code == 200
    assert client.get("/review/sources/zhihu/").status_code == 404
    assert client.get("/review/sources/zhihu/rights/").status_code == 404


def test_consumers_have_no_business_here(tao: User) -> None:
    client = signed_in(tao)
    for address in (SOURCES, "/review/sources/ruozhiba/", RIGHTS):
        assert client.get(address).status_code == 403


def test_pages_for_htmx_are_parts(manager: Client) -> None:
    for address in (SOURCES, "/review/sources/ruozhiba/", RIGHTS):
        answer = manager.get(address, headers=HTMX)
        assert answer.content.decode().lstrip().startswith("<div id=")
        assert "HX-Request" in answer["Vary"]


# One source


def test_source_shows_its_imports_with_their_rights(manager: Client, gao: User, ruozhiba: Source) -> None:
    add_records("ruozhiba", [candidate() for _ in range(3)])
    add_records("ruozhiba", [candidate()], licence="CC0-1.0")
    shown = seen(manager.get("/review/sources/ruozhiba/"))
    assert "3 unknown decided by nobody yet" in shown
    assert "1 CC0 1.0 decided for this import" in shown
    rights.decide_rights(ruozhiba, by=gao, licence="MIT", evidence="许可文件")
    shown = seen(manager.get("/review/sources/ruozhiba/"))
    assert "3 MIT as the source" in shown
    assert "许可文件" in shown


def test_source_asks_the_database_equally_often_however_many_imports(manager: Client) -> None:
    record()
    manager.get("/review/sources/ruozhiba/")
    with CaptureQueriesContext(connection) as few:
        manager.get("/review/sources/ruozhiba/")
    for _ in range(4):
        record()
    with CaptureQueriesContext(connection) as many:
        manager.get("/review/sources/ruozhiba/")
    assert len(few) == len(many) <= 11


def test_source_turns_the_pages_of_its_imports(manager: Client, ruozhiba: Source) -> None:
    Batch.objects.bulk_create(Batch(source=ruozhiba, name=f"第{number}批") for number in range(51))
    assert "Page 1 of 2" in seen(manager.get("/review/sources/ruozhiba/"))
    assert "第0批" in seen(manager.get("/review/sources/ruozhiba/?page=2"))
    assert manager.get("/review/sources/ruozhiba/?page=x").status_code == 200


def test_source_escapes_what_it_shows(manager: Client, gao: User, ruozhiba: Source) -> None:
    rights.decide_rights(ruozhiba, by=gao, licence="MIT", holder="<script>x</script>", evidence="<img src=x>")
    content = manager.get("/review/sources/ruozhiba/").content.decode()
    assert "<script>x" not in content
    assert "<img src=x" not in content


# Deciding rights


def test_decision_is_shown_before_it_is_made(manager: Client, lin: User) -> None:
    approve(record(), lin)
    approve(record(), lin)
    record()
    add_records("ruozhiba", [candidate()], licence="CC0-1.0")
    shown = seen(manager.post(RIGHTS, SAID))
    assert "2 approved records may then leave in every release." in shown
    assert "1 waiting record follows once it is approved." in shown
    assert "1 record has rights of its own" in shown
    assert "某站，CC-BY-4.0" in shown
    assert Rights.objects.filter(scope="source").count() == 0


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        (Licence.CC_BY_NC, "1 approved record may then leave in research releases."),
        (Licence.FAIR_USE, "where it may go does not change."),
        (Licence.RESTRICTED, "1 approved record will never leave."),
    ],
)
def test_preview_says_where_records_may_go(manager: Client, lin: User, licence: Licence, said: str) -> None:
    approve(record(), lin)
    assert said in seen(manager.post(RIGHTS, SAID | {"licence": licence}))


def test_confirmed_decision_is_in_effect(manager: Client, gao: User, lin: User, ruozhiba: Source) -> None:
    approve(record(), lin)
    answer = confirm(manager)
    assert (answer.status_code, answer["Location"]) == (303, "/review/sources/ruozhiba/#rights")
    ruozhiba.refresh_from_db()
    assert ruozhiba.rights
    assert (ruozhiba.rights.licence, ruozhiba.rights.holder, ruozhiba.rights.by) == ("CC-BY-4.0", "某站", gao)
    assert ruozhiba.rights.evidence == "许可页\n第二行"
    assert Record.objects.releasable(Licence.open()).count() == 1
    assert "CC BY 4.0" in seen(manager.get("/review/sources/ruozhiba/"))


def test_decision_by_htmx_leads_to_the_source(manager: Client) -> None:
    preview = manager.post(RIGHTS, SAID, headers=HTMX)
    assert preview.content.decode().lstrip().startswith('<div id="decision"')
    answer = manager.post(RIGHTS, hidden_fields(preview) | {"confirmed": "on"}, headers=HTMX)
    assert answer["HX-Redirect"] == "/review/sources/ruozhiba/#rights"


def test_decision_for_one_import_leaves_the_others(manager: Client, lin: User) -> None:
    first, second = record(), record()
    approve(first, lin)
    approve(second, lin)
    confirm(manager, reverse("review:batch-rights", args=["ruozhiba", first.batch_id]))
    assert list(Record.objects.releasable(Licence.open())) == [first]


def test_decision_for_one_record_that_was_objected_to(manager: Client, gao: User, lin: User, ruozhiba: Source) -> None:
    given, other = record(), record()
    approve(given, lin)
    rights.decide_rights(given, by=gao, licence="objected")
    assert list(objected_to(ruozhiba)) == [given]
    page = manager.get("/review/sources/ruozhiba/")
    assert f'href="/review/records/{given.pk}/rights/"' in page.content.decode()
    confirm(manager, f"/review/records/{given.pk}/rights/")
    assert list(objected_to(ruozhiba)) == []
    assert list(Record.objects.releasable(Licence.open())) == [given]
    assert followers_of(other).waiting == 1


def test_decision_can_be_changed_before_it_is_confirmed(manager: Client) -> None:
    preview = manager.post(RIGHTS, SAID)
    answer = manager.post(RIGHTS, hidden_fields(preview) | {"edit": "on"})
    assert "许可页" in answer.content.decode()
    assert '<option value="CC-BY-4.0" selected>' in answer.content.decode()
    assert not Rights.objects.filter(scope="source").exists()


def test_decision_in_view_of_what_has_changed_is_refused_and_kept(manager: Client, gao: User, ruozhiba: Source) -> None:
    preview = manager.post(RIGHTS, SAID)
    rights.decide_rights(ruozhiba, by=gao, licence="restricted")
    answer = manager.post(RIGHTS, hidden_fields(preview) | {"confirmed": "on"})
    assert answer.status_code == 409
    assert "Somebody has decided these rights meanwhile." in seen(answer)
    assert "某站" in answer.content.decode()
    ruozhiba.refresh_from_db()
    assert ruozhiba.rights
    assert ruozhiba.rights.licence == "restricted"
    assert manager.post(RIGHTS, hidden_fields(answer) | {"confirmed": "on"}).status_code == 303


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"evidence": ""}, "Say what the decision rests on"),
        ({"licence": "objected"}, "Select a valid choice"),
        ({"licence": "no such"}, "Select a valid choice"),
        ({"source_address": "not an address"}, "Enter a valid URL"),
        ({"source_address": "javascript:alert(1)"}, "Enter a valid URL"),
        ({"holder": "长" * 501}, "at most 500"),
    ],
)
def test_decision_that_makes_no_sense_is_refused_with_what_was_typed(
    manager: Client, said: dict[str, str], complaint: str
) -> None:
    for more in ({}, {"confirmed": "on"}):
        answer = manager.post(RIGHTS, SAID | said | more)
        assert answer.status_code == 422
        assert complaint in seen(answer)
    assert not Rights.objects.filter(scope="source").exists()


def test_address_stands_for_evidence_and_nothing_needs_none(manager: Client) -> None:
    assert confirm(manager, evidence="", source_address="https://example.org/licence").status_code == 303
    assert confirm(manager, evidence="", licence="unknown").status_code == 303


@pytest.mark.parametrize("role", ["lin", "shen"])
def test_reviewers_do_not_decide(request: pytest.FixtureRequest, role: str) -> None:
    given = record()
    client = signed_in(request.getfixturevalue(role))
    addresses = [RIGHTS, f"/review/records/{given.pk}/rights/"]
    addresses.append(reverse("review:batch-rights", args=["ruozhiba", given.batch_id]))
    for address in addresses:
        assert client.get(address).status_code == 403
        assert client.post(address, SAID | {"confirmed": "on"}).status_code == 403
    assert "Decide the rights" not in seen(client.get("/review/sources/ruozhiba/"))


def test_import_of_another_source_is_not_found(manager: Client) -> None:
    batch = record("zhihu").batch
    assert manager.get(reverse("review:batch-rights", args=["ruozhiba", batch.pk])).status_code == 404
    assert manager.get("/review/records/999999/rights/").status_code == 404
