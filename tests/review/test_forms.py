from uuid import uuid4

import pytest
from django.core.signing import Signer
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from review import forms
from review.decisions import Judgement, Wording
from review.forms import DecisionForm, RecordForm, as_meant, labels_as_meant, one_line, seconds_since, started_now
from review.models import AnswerFrom, Record, Verdict
from review.refused import Ground, Refused
from review.views.desk import shown
from tests.factories import record

STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(STORABLE, max_size=60)
BROKEN_LINES = st.text(st.sampled_from("ab甲\r\n\f\t\u00a0\u200b\u2028\x85"), max_size=30)


def by_browser(text: str) -> str:
    """What a browser makes of the text of a text area: one kind of line end, sent as CRLF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def sent(given: Record, **changes: str | list[str] | None) -> QueryDict:
    """The form as a browser sends it for this record; None leaves a field out."""
    data = QueryDict(mutable=True)
    fields: dict[str, str | list[str] | None] = {
        "seen_revision": str(given.revision_id),
        "request_id": str(uuid4()),
        "started": started_now(given.pk),
        "verdict": "approve",
    }
    fields |= {name: by_browser(value) for name, value in shown(given, given.revision).items()}
    for name in forms.LABELS:
        fields[name] = [*str(fields[name]).split("\r\n"), ""]
    for name, value in (fields | changes).items():
        if value is not None:
            data.setlist(name, value if isinstance(value, list) else [str(value)])
    return data


def judgement(given: Record, **changes: str | list[str] | None) -> Judgement:
    return DecisionForm(sent(given, **changes)).judgement(given)


@given(st.one_of(TEXT, BROKEN_LINES))
def test_a_text_sent_back_by_a_browser_is_the_text_itself(text: str) -> None:
    assert as_meant(by_browser(text), text) == text
    assert as_meant(by_browser(text).replace("\r\n", "\n"), text) == text


@given(BROKEN_LINES, BROKEN_LINES)
def test_an_edit_arrives_as_typed_but_for_line_ends(seen: str, typed: str) -> None:
    meant = as_meant(by_browser(typed), seen)
    assert forms.unix(meant) == forms.unix(typed)


@pytest.mark.parametrize(
    ("seen", "typed", "meant"),
    [
        ("甲\rightarrow 乙\r\n丙", "甲\nightarrow 乙\n丙!", "甲\rightarrow 乙\r\n丙!"),
        ("甲\r乙\r丙", "新\n甲\n乙\n丙", "新\n甲\r乙\r丙"),
        ("甲\r乙\r丙", "甲\n丙", "甲\r丙"),
        ("甲\r乙", "甲 \\right 乙", "甲 \\right 乙"),
        ("\r", "\n\n", "\n\n"),
    ],
)
def test_lines_that_were_left_alone_keep_their_line_ends(seen: str, typed: str, meant: str) -> None:
    assert as_meant(typed, seen) == meant


def test_a_hundred_thousand_carriage_returns_are_quick() -> None:
    seen = "\r".join("ab"[i % 2] for i in range(50_000))
    typed = "x" + "\n".join("ba"[i % 2] for i in range(50_000)) + "y"
    assert len(as_meant(typed, seen)) == len(typed)


@given(st.lists(st.text(STORABLE, max_size=8), max_size=4))
def test_labels_sent_back_by_a_browser_are_the_labels_themselves(labels: list[str]) -> None:
    assert labels_as_meant([*(one_line(label) for label in labels), ""], labels) == tuple(labels)


def test_typed_labels_lose_blanks_and_repetitions() -> None:
    assert labels_as_meant(["问答", " 百科 ", "百科", ""], ["问答"]) == ("问答", "百科")
    assert labels_as_meant(["新", " 旧\u3000"], [" 旧\u3000"]) == ("新", " 旧\u3000")


@pytest.mark.django_db
def test_an_unedited_form_carries_no_wording() -> None:
    given = record(instruction="\n题目\r\f", output="\t答\u00a0案\u200b\r\n", major=("问答", ""), minor=("a\nb",))
    said = judgement(given)
    assert (said.verdict, said.wording, said.rights and said.rights.said) == (Verdict.APPROVE, None, "confirm")


@pytest.mark.django_db
def test_an_edit_is_a_wording_with_all_else_as_it_was() -> None:
    given = record(instruction="\n题目\r", output="旧")
    wording = judgement(given, output="新\r\n行", domain=["百科", "天文", ""]).wording
    expected = Wording.of(given.revision)
    assert wording is not None
    assert (wording.output, wording.domain) == ("新\n行", ("百科", "天文"))
    assert (wording.instruction, wording.metadata) == (expected.instruction, expected.metadata)


@pytest.mark.django_db
def test_a_field_that_was_not_sent_was_not_edited() -> None:
    given = record()
    left_out = dict.fromkeys((*forms.TEXTS, *forms.LABELS, "answer_from"))
    assert judgement(given, **left_out).wording is None


@pytest.mark.django_db
def test_the_usual_author_is_filled_in_for_an_approval_only() -> None:
    given = record("zhihu", answer_from="")
    approval = judgement(given).wording
    assert approval is not None
    assert approval.answer_from == AnswerFrom.HUMAN
    assert judgement(given, verdict="reject", reason="差").wording is None


@pytest.mark.django_db
@pytest.mark.parametrize(("author", "becomes"), [("llm", "human"), ("", "human"), ("expert", "expert")])
def test_whoever_rewrites_an_answer_is_its_author(author: str, becomes: str) -> None:
    wording = judgement(record(answer_from="llm"), verdict="rewrite", output="我写的。", answer_from=author).wording
    assert wording is not None
    assert wording.answer_from == becomes


@pytest.mark.django_db
def test_a_chosen_reason_rejects() -> None:
    said = judgement(record(), verdict=None, because="cut-off")
    assert (said.verdict, said.reason, said.rights) == (Verdict.REJECT, "cut-off", None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"verdict": "", "because": None}, "verdict"),
        ({"verdict": "publish"}, "verdict"),
        ({"output": "a\0b"}, "output"),
        ({"output": "长" * 100_001}, "output"),
        ({"major": ["标" * 201]}, "major"),
        ({"major": ["a\0"]}, "major"),
        ({"domain": [str(n) for n in range(101)]}, "domain"),
        ({"answer_from": "robot"}, "answer_from"),
        ({"licence": "WTFPL"}, "licence"),
        ({"source_address": "javascript:alert(1)"}, "source_address"),
        ({"request_id": "1"}, "request_id"),
        ({"seen_revision": "x"}, "seen_revision"),
    ],
)
def test_a_form_that_cannot_be_taken_names_the_field(changes: dict[str, str | list[str] | None], field: str) -> None:
    with pytest.raises(Refused) as refused:
        judgement(record(), **changes)
    assert refused.value.ground == Ground.INVALID
    assert field in refused.value.fields


@pytest.mark.django_db
def test_the_longest_text_may_have_line_ends() -> None:
    text = "行\n" * 50_000
    assert judgement(record(output=text)).wording is None


@pytest.mark.django_db
def test_a_revision_of_another_record_is_not_taken_for_seen() -> None:
    given, other = record(), record()
    with pytest.raises(Refused) as refused:
        judgement(given, seen_revision=str(other.revision_id))
    assert refused.value.ground == Ground.INVALID


@pytest.mark.django_db
def test_typed_keeps_what_is_invalid_but_for_nul() -> None:
    form = RecordForm(sent(record(), output="a\0b", licence="WTFPL", major=["问答", "新词"]))
    typed = form.typed()
    assert (typed["output"], typed["licence"], typed["major"]) == ("ab", "WTFPL", "问答\n新词")


def test_seconds_are_counted_from_the_signed_moment() -> None:
    started = started_now(5)
    assert seconds_since(started, 5) == 0
    assert seconds_since(started, 6) == 0
    assert seconds_since(started.replace("5", "6", 1), 6) == 0
    assert seconds_since("nonsense", 5) == 0
    assert seconds_since(Signer(salt="review.started").sign_object([5, 0]), 5) == forms.LONGEST_SITTING
