import pytest

from review.agreement import Opinion, Outcome, outcome


def opinion(
    decision: int, verdict: str = "approve", content: bytes = b"a", *, kind: str = "review", rights: str = "confirm"
) -> Opinion:
    return Opinion(decision, kind, verdict, revision=decision * 10, content=content, rights=(rights,))


def test_nobody_decided_and_there_is_an_answer() -> None:
    assert outcome([], 1, answered=True) == Outcome("waiting")


def test_nobody_decided_and_there_is_no_answer() -> None:
    assert outcome([], 1, answered=False) == Outcome("unanswered")


def test_one_approval_is_enough_when_one_is_wanted() -> None:
    assert outcome([opinion(1)], 1, answered=True) == Outcome("approved", 1, 10)


def test_one_rejection_is_enough_when_one_is_wanted() -> None:
    assert outcome([opinion(1, "reject")], 1, answered=True) == Outcome("rejected", 1)


def test_first_of_two_waits_for_the_second() -> None:
    assert outcome([opinion(1)], 2, answered=True) == Outcome("second")


def test_two_equal_approvals_take_the_first_wording() -> None:
    assert outcome([opinion(1), opinion(2)], 2, answered=True) == Outcome("approved", 1, 10)


def test_two_rejections_agree_whatever_they_saw_in_the_text() -> None:
    both = [opinion(1, "reject", b"a"), opinion(2, "reject", b"b")]
    assert outcome(both, 2, answered=True) == Outcome("rejected", 1)


@pytest.mark.parametrize(
    "second",
    [opinion(2, "reject"), opinion(2, content=b"b"), opinion(2, rights="object")],
    ids=["verdict", "text", "rights"],
)
def test_two_who_differ_are_a_dispute(second: Opinion) -> None:
    assert outcome([opinion(1), second], 2, answered=True) == Outcome("disputed")


def test_three_wanted_take_the_majority() -> None:
    three = [opinion(1, "reject"), opinion(2), opinion(3)]
    assert outcome(three, 3, answered=True) == Outcome("approved", 2, 20)


def test_two_equal_of_three_wanted_still_wait_for_the_third() -> None:
    assert outcome([opinion(1), opinion(2)], 3, answered=True) == Outcome("second")


def test_three_who_all_differ_are_a_dispute() -> None:
    three = [opinion(1, content=b"a"), opinion(2, content=b"b"), opinion(3, content=b"c")]
    assert outcome(three, 3, answered=True) == Outcome("disputed")


def test_escalation_is_a_dispute_at_once() -> None:
    assert outcome([opinion(1, "escalate")], 3, answered=True) == Outcome("disputed")


def test_rewriting_starts_the_count_anew_with_the_new_wording() -> None:
    assert outcome([opinion(1), opinion(2, "rewrite")], 2, answered=True) == Outcome("waiting", revision=20)


def test_approval_of_a_rewritten_answer_is_the_verdict() -> None:
    assert outcome([opinion(1, "rewrite"), opinion(2)], 1, answered=False) == Outcome("approved", 2, 20)


def test_first_of_two_after_a_rewrite_keeps_the_rewritten_wording() -> None:
    assert outcome([opinion(1, "rewrite"), opinion(2)], 2, answered=False) == Outcome("second", revision=10)


def test_settler_ends_the_dispute() -> None:
    opinions = [opinion(1), opinion(2, "reject"), opinion(3, content=b"c", kind="settle")]
    assert outcome(opinions, 2, answered=True) == Outcome("approved", 3, 30)


def test_settler_may_reject() -> None:
    opinions = [opinion(1), opinion(2, content=b"b"), opinion(3, "reject", kind="settle")]
    assert outcome(opinions, 2, answered=True) == Outcome("rejected", 3)
