"""What lies beside a record: changes, preview, flags, guidelines, comments, history, near-duplicates, figures."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from review import claims, comments, decisions, guidelines, restoring, sending_back, timeline, waiting
from review.models import (
    Claim,
    Comment,
    Decision,
    Draft,
    Guideline,
    NearDuplicate,
    Record,
    Revision,
    Skip,
    Source,
    State,
    User,
    Verdict,
)
from review.refused import Ground, Refused
from review.waiting import Part, Skipped
from tests.factories import approve, judgement, record
from tests.review.reviewing import HTMX, address, form, reload, signed_in, text_area

pytestmark = pytest.mark.django_db


# Changes, preview, flags


def look(user: User, given: Record, view: str, headers: dict[str, str] = HTMX, **changes: Any) -> str:
    client = signed_in(user)
    answer = client.post(address("look", given), form(given, None, view=view, **changes), headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_changes_are_those_of_the_typed_text_since_it_came_in(lin: User, mei: User) -> None:
    given = record(output="天空是蓝色的。")
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="天空是很蓝的。"))
    page = look(lin, reload(given), "changes", output="天空是很蓝的！")
    assert "<ins>很</ins>蓝<del>色</del>的<del>。</del><ins>！</ins>" in page
    assert "<html" not in page


def test_the_preview_is_markdown_that_does_nothing(lin: User) -> None:
    page = look(lin, record(), "preview", output="**重点** <script>alert(1)</script> ![x](http://evil.example/x.png)")
    assert "<strong>重点</strong> &lt;script&gt;" in page
    assert "<img" not in page


def test_without_script_both_views_are_one_page(lin: User) -> None:
    page = look(lin, record(), "", headers={}, output="**新**")
    assert "<html" in page
    assert "<strong>新</strong>" in page
    assert "Changed since it came in" in page


def test_looking_decides_and_keeps_nothing(lin: User) -> None:
    look(lin, record(), "changes", output="x")
    assert not Decision.objects.exists()
    assert not Draft.objects.exists()


def test_flags_stand_in_the_text_with_their_sentence_and_are_mended_by_one_click(lin: User) -> None:
    given = record(output="零\u200b宽字符在这里。\n请关注公众号")
    client = signed_in(lin)
    client.post("/review/next/")
    page = client.get(address("", given)).content.decode()
    assert '<mark class="flag">\u200b</mark>' in page
    assert "Invisible characters" in page
    assert 'data-places="1-2"' in page
    assert 'name="repair" value="invisible_characters output"' in page
    said = form(given, None, repair="invisible_characters output", instruction="我的题目")
    answer = client.post(address("repair", given), said)
    assert (answer.status_code, answer["Location"]) == (303, address("", given))
    page = client.get(address("", given)).content
    assert text_area(page, "output") == "零宽字符在这里。\n请关注公众号"
    assert text_area(page, "instruction") == "我的题目"
    assert not Decision.objects.exists()


def test_an_eaten_escape_is_mended_though_a_text_area_shows_a_line_end(lin: User) -> None:
    given = record(output="由 $\x0crac{1}{2}$ 可知，甲 $\rightarrow$ 乙。")
    client = signed_in(lin)
    client.post("/review/next/")
    assert b"eaten_escape output" in client.get(address("", given)).content
    answer = client.post(address("repair", given), form(given, None, repair="eaten_escape output"), headers=HTMX)
    assert text_area(answer.content, "output") == "由 $\\frac{1}{2}$ 可知，甲 $\\rightarrow$ 乙。"


@pytest.mark.parametrize("wanted", ["", "nonsense output", "eaten_escape state", "unfinished_ending output"])
def test_what_cannot_be_mended_stays(lin: User, wanted: str) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    assert client.post(address("repair", given), form(given, None, repair=wanted)).status_code == 303
    assert not Draft.objects.exists()


def test_near_duplicates_lie_side_by_side(lin: User, law_gee: Source) -> None:
    given, twin, hidden = record(output="甲乙丙丁"), record(output="甲乙丙戊"), record("mba")
    for other, similarity in ((twin, 0.999), (hidden, 0.8)):
        NearDuplicate.objects.create(record=given, other=other, similarity=similarity)
    lin.sources.set([given.source])
    client = signed_in(lin)
    assert reverse("review:record-near", args=[given.pk]) in client.get(address("", given)).content.decode()
    page = client.get(reverse("review:record-near", args=[given.pk])).content.decode()
    assert "<del>丁</del><ins>戊</ins>" in page
    assert "99%" in page
    assert f"#{hidden.pk}" not in page


# Guidelines


def test_a_manager_writes_versions_and_a_decision_remembers_the_one_in_force(lin: User, gao: User) -> None:
    edit = reverse("review:guideline-edit", args=["every-source"])
    manager = signed_in(gao)
    assert manager.post(edit, {"text": "# 总则\r\n要**正确**", "seen_version": "0"}).status_code == 303
    assert manager.post(edit, {"text": "# 总则二", "seen_version": "1"}).status_code == 303
    given = record()
    decision = approve(given, lin)
    assert decision.guideline is not None
    assert (decision.guideline.version, decision.guideline.text) == (2, "# 总则二")
    reader = signed_in(lin)
    page = reader.get(reverse("review:guideline", args=["ruozhiba"])).content.decode()
    assert "<h1>总则二</h1>" in page
    earlier = reader.get(reverse("review:guideline", args=["every-source"]), {"version": "1"}).content.decode()
    assert "<strong>正确</strong>" in earlier
    assert reader.get(reverse("review:guidelines")).status_code == 200


def test_a_version_that_somebody_overtook_is_refused_and_kept(gao: User, zhou: User) -> None:
    guidelines.write_guideline(by=zhou, source=None, text="她的", seen_version=0)
    edit = reverse("review:guideline-edit", args=["every-source"])
    answer = signed_in(gao).post(edit, {"text": "我的", "seen_version": "0"})
    assert answer.status_code == 409
    assert text_area(answer.content, "text") == "我的"
    assert "<del>她</del><ins>我</ins>的" in answer.content.decode()
    assert Guideline.objects.count() == 1


@pytest.mark.parametrize(("text", "seen"), [(" ", "0"), ("x" * 100_001, "0"), ("x", ""), ("x", "9" * 40), ("x", "-1")])
def test_a_guideline_that_makes_no_sense_is_refused(gao: User, text: str, seen: str) -> None:
    answer = signed_in(gao).post(
        reverse("review:guideline-edit", args=["every-source"]), {"text": text, "seen_version": seen}
    )
    assert answer.status_code in {409, 422}
    assert not Guideline.objects.exists()


def test_only_managers_write_guidelines(lin: User) -> None:
    assert signed_in(lin).get(reverse("review:guideline-edit", args=["every-source"])).status_code == 403
    with pytest.raises(Refused) as refused:
        guidelines.write_guideline(by=lin, source=None, text="x", seen_version=0)
    assert refused.value.ground == Ground.FORBIDDEN


@pytest.mark.parametrize("version", ["0", "7", "x", "9" * 30, "²"])
def test_a_version_that_is_not_there_is_not_found(lin: User, version: str) -> None:
    shown = reverse("review:guideline", args=["every-source"])
    assert signed_in(lin).get(shown, {"version": version}).status_code in {200, 404}


# Comments


def test_a_comment_is_read_by_the_next_person(lin: User, mei: User) -> None:
    given = record()
    where = reverse("review:record-comments", args=[given.pk])
    assert signed_in(lin).post(where, {"text": "请核对\n<b>年份</b>"}).status_code == 303
    page = signed_in(mei).get(where).content.decode()
    assert "&lt;b&gt;年份&lt;/b&gt;" in page
    assert '<span class="count">1</span>' in signed_in(mei).get(address("", given)).content.decode()


@pytest.mark.parametrize(("text", "sentence"), [(" ", "Write something first."), ("x" * 4001, "at most 4000")])
def test_a_comment_that_says_nothing_or_too_much_is_refused(lin: User, text: str, sentence: str) -> None:
    answer = signed_in(lin).post(reverse("review:record-comments", args=[record().pk]), {"text": text}, headers=HTMX)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Comment.objects.exists()


def test_before_the_outcome_comments_of_others_are_not_there(lin: User, mei: User, shen: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    comments.add_comment(by=lin, record=given, text="我觉得不对")
    approve(given, lin)
    assert reload(given).state == State.SECOND
    assert list(comments.comments_for(mei, given.pk)) == []
    assert '<span class="count">' not in signed_in(mei).get(address("", given)).content.decode()
    assert comments.comments_for(lin, given.pk).count() == 1
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REJECT))
    assert comments.comments_for(shen, given.pk).count() == 1


# History


def test_history_tells_everything_on_one_line_of_time(lin: User, mei: User, gao: User) -> None:
    given = record(output="天空是蓝色的。")
    comments.add_comment(by=gao, record=given, text="请看年份")
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="天空是很蓝的。"))
    said = decisions.SaidOfRights(Decision.RightsSaid.SET, licence="CC0-1.0", holder="某人")
    undone = approve(reload(given), lin, rights=said)
    decisions.undo(by=lin, decision=undone)
    approve(reload(given), lin)
    sending_back.send_back(by=gao, records=[given.pk], reason="再看一次")
    kinds = [event.kind for event in timeline.events(given.pk, by=lin)]
    assert kinds[0] == "wording"
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "wording": 2,
        "comment": 1,
        "decision": 3,
        "withdrawal": 3,
        "rights": 1,
        "move": 1,
    }
    page = signed_in(lin).get(address("history", given)).content.decode()
    for part in ("<ins>很</ins>蓝<del>色</del>的", "请看年份", "某人", "再看一次", "does not count any more"):
        assert part in page


def test_the_page_of_a_long_history_takes_few_queries(lin: User, gao: User) -> None:
    given, client, counts = record(), signed_in(lin), []
    client.get("/")
    for _round in range(3):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address("history", given)).status_code == 200
        counts.append(len(queries))
        approve(reload(given), lin, output=f"第{len(counts)}次")
        sending_back.send_back(by=gao, records=[given.pk], reason="再看", to=lin)
    assert counts[2] <= counts[1] <= 20


def test_before_the_outcome_history_holds_ones_own_work_only(lin: User, mei: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin, output="我改的")
    seen = {(event.kind, event.by) for event in timeline.events(given.pk, by=mei)}
    assert seen == {("wording", None)}
    assert ("decision", lin) in {(event.kind, event.by) for event in timeline.events(given.pk, by=lin)}
    page = signed_in(mei).get(address("history", given)).content.decode()
    assert "我改的" not in page
    assert "second" not in page.lower().replace("seconds", "")


def test_an_earlier_wording_is_restored_as_a_new_revision(lin: User, gao: User) -> None:
    given = record(output="原来的答案")
    approve(given, lin, output="改坏的答案")
    answer = signed_in(gao).post(address("restore", given), {"revision": given.revision_id, "reason": "改坏了"})
    assert answer.status_code == 303
    after = reload(given)
    assert (after.revision.output, after.revision.number, after.revision.author) == ("原来的答案", 3, gao)
    assert (after.state, after.human_verified, after.round) == (State.WAITING, False, 2)
    assert Revision.objects.filter(record=given).count() == 3


def test_a_reviewer_takes_an_earlier_wording_up_as_a_draft(lin: User, mei: User) -> None:
    given = record(output="原来的答案")
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="改坏的答案"))
    client = signed_in(lin)
    assert client.post(address("restore", given), {"revision": given.revision_id}).status_code == 403
    answer = client.post(address("take-up", given), {"revision": given.revision_id}, follow=True)
    assert text_area(answer.content, "output") == "原来的答案"
    assert reload(given).revision.output == "改坏的答案"


@pytest.mark.parametrize("revision", ["", "x", "9" * 30, "-1"])
def test_a_wording_that_is_not_there_is_not_found(gao: User, revision: str) -> None:
    given = record()
    for verb in ("restore", "take-up"):
        assert signed_in(gao).post(address(verb, given), {"revision": revision}).status_code == 404


def test_the_present_wording_is_not_restored(gao: User, lin: User) -> None:
    given = record()
    with pytest.raises(Refused):
        restoring.restore_wording(by=gao, revision=given.revision, reason="x")
    with pytest.raises(Refused):
        restoring.restore_wording(by=lin, revision=given.revision, reason="x")


# The queue


def take(user: User, **narrowed: Any) -> int | None:
    claim = claims.claim_next(by=User.objects.get(pk=user.pk), part=Part(**narrowed))
    Claim.objects.all().delete()
    return claim.record_id if claim else None


def test_the_queue_is_narrowed_down_by_every_filter(lin: User) -> None:
    plain = record("zhihu", major=("问答",), minor=("知乎问答",), domain=("百科",), output="短。")
    poem = record("poem", major=("文本生成",), minor=("古诗续写",), domain=("文学",), output="床前明月光。" * 50)
    flagged = record("zhihu", output="更多内容请关注公众号，扫码领取资料。")
    for narrowed, wanted in (
        ({}, plain),
        ({"source": poem.source_id}, poem),
        ({"category": poem.source.category_id}, poem),
        ({"major": "文本生成"}, poem),
        ({"minor": "知乎问答"}, plain),
        ({"domain": "文学"}, poem),
        ({"domain": "文"}, None),
        ({"shortest": 100}, poem),
        ({"longest": 3}, plain),
        ({"shortest": 4, "longest": 30}, flagged),
        ({"flag": "promotion"}, flagged),
        ({"flag": "promotion", "domain": "文学"}, None),
        ({"risk_first": True}, flagged),
    ):
        assert take(lin, **narrowed) == (wanted.pk if wanted else None), narrowed
        is_free = waiting.outlook(by=lin, part=Part(**narrowed)).is_free
        assert is_free is (wanted is not None), narrowed


def test_only_what_i_skipped(lin: User, mei: User) -> None:
    first, second = record(), record()
    Skip.objects.create(record=second, reviewer=lin)
    assert take(lin, skipped=Skipped.ONLY) == second.pk
    assert take(lin) == first.pk
    assert take(mei, skipped=Skipped.ONLY) is None


def test_a_narrowed_queue_goes_along_and_says_why_it_is_empty(lin: User, mei: User) -> None:
    given, other = record(domain=("百科",)), record(domain=("文学",))
    client = signed_in(lin)
    where = client.post("/review/next/", {"with_domain": "文学", "longest": "x"})["Location"]
    assert where == f"{address('', other)}?with_domain=%E6%96%87%E5%AD%A6"
    answer = client.post(address("decide", other), form(other, with_domain="文学"), headers=HTMX)
    page = answer.content.decode()
    assert "Nothing waits in this part of the queue" in page
    assert "Go on with every source" in page
    claims.claim_next(by=mei)
    page = client.get("/review/").content.decode()
    assert "Others hold what is left" in page
    assert "mei: 1, until" in page
    approve(given, mei)
    assert "Nothing waits for you" in client.get("/review/").content.decode()


def test_a_manager_takes_a_record_from_its_holder(lin: User, gao: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    client.post(address("draft", given), form(given, output="写到一半"))
    assert client.post(address("free", given)).status_code == 403
    assert "held by lin until" in signed_in(gao).get(address("", given)).content.decode()
    assert signed_in(gao).post(address("free", given)).status_code == 303
    assert not Claim.objects.exists()
    assert Draft.objects.get().fields["output"] == "写到一半"


def test_f13_a_record_goes_back_soon_after_its_page_was_closed(lin: User, mei: User) -> None:
    record()
    claim = claims.claim_next(by=lin)
    assert claim is not None
    client = signed_in(lin)
    leave, extend = (reverse(f"review:claim-{verb}", args=[claim.token]) for verb in ("leave", "extend"))
    assert signed_in(mei).post(leave).status_code == 409
    assert client.post(leave).status_code == 204
    left = Claim.objects.get().lease_until
    assert left <= timezone.now() + timedelta(seconds=claims.LEAVING + 5)
    assert claims.claim_next(by=mei) is None
    assert client.post(extend).status_code == 204  # the page was only loaded again
    assert Claim.objects.get().lease_until > timezone.now() + timedelta(minutes=9)


def test_the_last_twenty_are_undone_one_by_one(lin: User) -> None:
    client = signed_in(lin)
    given = [record() for _ in range(21)]
    client.post("/review/next/")
    for one in given[:20]:
        page = client.post(address("decide", one), form(one), headers=HTMX).content.decode()
    for one in reversed(given[:20]):
        decision = Decision.objects.get(record=one)
        undo = reverse("review:decision-undo", args=[decision.pk])
        assert undo in page
        answer = client.post(undo, headers=HTMX)
        page = answer.content.decode()
        assert (answer.status_code, answer["HX-Push-Url"]) == (200, address("", one))
    assert not Decision.objects.filter(withdrawal=None).exists()
    assert set(Record.objects.values_list("state", flat=True)) == {State.WAITING}


# Home


def test_home_counts_done_median_edits_and_what_came_back(lin: User, gao: User) -> None:
    with time_machine.travel("2026-11-25 10:00+08:00", tick=True):  # a Wednesday; the rows have the database's clock
        client = signed_in(lin)
    given = [record() for _ in range(4)]
    for one, seconds in zip(given[:3], (10, 20, 90), strict=True):
        approve(one, lin, seconds=seconds, **({"output": "改过"} if seconds == 90 else {}))
    decisions.undo(by=lin, decision=approve(given[3], lin))
    sending_back.send_back(by=gao, records=[given[0].pk], reason="再看")
    today, week = client.get("/").context["figures"]
    assert today[1:] == (3, 20, 1, 1)
    assert week[1:] == (3, 20, 1, 1)


def test_home_leads_back_to_what_was_typed(lin: User) -> None:
    given, client = record(), signed_in(lin)
    client.post(address("draft", given), form(given, output="写到一半"))
    page = client.get("/").content.decode()
    assert f"You typed something on #{given.pk}" in page
    claims.claim_record(by=lin, record=given)
    assert f"You typed something on #{given.pk}" not in client.get("/").content.decode()
