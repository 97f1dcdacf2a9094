"""Which records want more than one decision, and what nobody may be able to tell of it."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from review import blind, claims, decisions, overlap
from review.models import Draw, Record, Source, State, User, Verdict
from review.refused import Ground, Refused
from review.text.draw import Looks, rank
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import address, reload, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.core]

SHARE = Decimal(20)


def expected(source: str, seed: str, share: float) -> set[int]:
    """The records that seed and share draw, worked out anew from the keys alone."""
    keys = Record.objects.filter(source__slug=source).values_list("pk", "key")
    return {pk for pk, key in keys if rank(seed, bytes(key)) < share * 2**64}


def doubled(source: str) -> set[int]:
    return set(Record.objects.filter(source__slug=source, wanted__gt=1).values_list("pk", flat=True))


def test_import_draws_exactly_what_seed_and_share_say(ruozhiba: Source, gao: User) -> None:
    overlap.set_second_looks(by=gao, source=ruozhiba, share=SHARE, rule=Looks(seed="一粒种子"))
    given = [candidate() for _ in range(400)]
    add_records("ruozhiba", given[:150])
    add_records("ruozhiba", given[150:])
    drawn = doubled("ruozhiba")
    assert drawn == expected("ruozhiba", "一粒种子", 0.2)
    assert 40 <= len(drawn) <= 120


def test_another_seed_draws_other_records(ruozhiba: Source) -> None:
    keys = [bytes([number] * 32) for number in range(200)]
    assert [rank("a", key) for key in keys] != [rank("b", key) for key in keys]
    assert rank("a", keys[0]) == rank("a", keys[0])


def test_a_larger_share_of_the_same_seed_only_adds() -> None:
    keys = [number.to_bytes(32) for number in range(1000)]

    def drawn(share: float) -> set[bytes]:
        rule = Looks(share=share, seed="s")
        return {key for key in keys if rule.wanted(key, length=1, answer_from="human") == 2}

    assert drawn(0.1) < drawn(0.3) < drawn(1) == set(keys)
    assert drawn(0) == set()


@pytest.mark.parametrize(
    ("rule", "said", "wanted"),
    [
        (Looks(longer_than=10, looks=3), {"length": 11}, 3),
        (Looks(longer_than=10, looks=3), {"length": 10}, 1),
        (Looks(model_written=True), {"answer_from": "llm"}, 2),
        (Looks(model_written=True), {"answer_from": "human"}, 1),
        (Looks(flagged=True), {"is_flagged": True}, 2),
        (Looks(flagged=False), {"is_flagged": True}, 1),
    ],
)
def test_a_rule_names_records_whatever_the_draw(rule: Looks, said: dict[str, Any], wanted: int) -> None:
    assert rule.wanted(b"k" * 32, **({"length": 1, "answer_from": "human"} | said)) == wanted


def test_rules_hold_for_imported_records(ruozhiba: Source, gao: User) -> None:
    rule = Looks(looks=3, longer_than=100, model_written=True)
    overlap.set_second_looks(by=gao, source=ruozhiba, share=Decimal(0), rule=rule)
    batch = add_records("ruozhiba", [candidate(), candidate(output="长" * 100), candidate(answer_from="llm")])
    assert list(Record.objects.filter(batch=batch).order_by("pk").values_list("wanted", flat=True)) == [1, 3, 3]


def test_more_looks_are_drawn_from_the_queue_to_the_exact_number(ruozhiba: Source, gao: User, lin: User) -> None:
    add_records("ruozhiba", [candidate() for _ in range(51)])
    decided = Record.objects.filter(source=ruozhiba).order_by("pk").first()
    assert decided
    approve(decided, lin)
    draw = overlap.want_more(by=gao, source=ruozhiba, share=SHARE, seed="s")
    assert (draw.undecided, draw.drawn, draw.seed) == (50, 10, "s")
    assert doubled("ruozhiba") == first_by_seed("s", 10, leaving_out=decided.pk)
    overlap.want_more(by=gao, source=ruozhiba, share=Decimal(40), seed="s")
    assert doubled("ruozhiba") == first_by_seed("s", 20, leaving_out=decided.pk)
    assert Draw.objects.count() == 2
    assert reload(decided).wanted == 1


def first_by_seed(seed: str, number: int, *, leaving_out: int) -> set[int]:
    keys = Record.objects.exclude(pk=leaving_out).values_list("pk", "key")
    return {pk for _rank, pk in sorted((rank(seed, bytes(key)), pk) for pk, key in keys)[:number]}


def test_a_record_with_one_look_may_still_get_a_third(ruozhiba: Source, gao: User, lin: User) -> None:
    given = record()
    overlap.want_more(by=gao, source=ruozhiba, share=Decimal(100))
    approve(given, lin)
    overlap.want_more(by=gao, source=ruozhiba, share=Decimal(100), looks=3)
    after = reload(given)
    assert (after.state, after.wanted) == (State.SECOND, 3)


@pytest.mark.parametrize(("share", "looks"), [(Decimal(-1), 2), (Decimal(101), 2), (Decimal(5), 1), (Decimal(5), 4)])
def test_a_share_that_makes_no_sense_is_refused(ruozhiba: Source, gao: User, share: Decimal, looks: int) -> None:
    with pytest.raises(Refused) as refused:
        overlap.want_more(by=gao, source=ruozhiba, share=share, looks=looks)
    assert refused.value.ground == Ground.INVALID


def test_only_managers_say_what_wants_more_looks(ruozhiba: Source, shen: User) -> None:
    for verb in (
        lambda: overlap.want_more(by=shen, source=ruozhiba, share=SHARE),
        lambda: overlap.set_second_looks(by=shen, source=ruozhiba, share=SHARE, rule=Looks()),
    ):
        with pytest.raises(Refused) as refused:
            verb()
        assert refused.value.ground == Ground.FORBIDDEN


# Blind


def twins(source: str = "ruozhiba") -> tuple[Record, Record]:
    """Two records alike, of which the second wants two decisions."""
    single, double = record(source), record(source)
    Record.objects.filter(pk=double.pk).update(wanted=2)
    return single, reload(double)


def as_told(page: bytes, given: Record) -> str:
    """A page without what differs from record to record and from request to request."""
    text = re.sub(r"/decisions/\d+/", "", page.decode())
    for own in (
        f"#{given.pk}",
        f"/{given.pk}/",
        f'data-record="{given.pk}"',
        given.revision.instruction,
        given.revision.output,
    ):
        text = text.replace(own, "…")
    text = re.sub(r"#\d+", "…", text)  # the line that names the last decision
    text = re.sub(r"<title>.*?</title>", "", text)
    text = re.sub(
        r"(csrfmiddlewaretoken|request_id|started|nonce|seen_revision)\W+(value=)?\W*[\w:=./+-]+", r"\1", text
    )
    text = re.sub(r"nonce=\S+|[0-9a-f]{8}-[0-9a-f-]{27}", "", text)
    return re.sub(r"\b(第\d+问|第\d+个)", "…", text)


def test_whoever_gave_a_first_look_finds_the_record_as_if_it_were_the_only_one(lin: User) -> None:
    single, double = twins()
    client = signed_in(lin)
    pages = []
    for given in (single, double):
        approve(given, lin)
        pages.append(as_told(client.get(address("", given)).content, given))
    assert pages[0] == pages[1]
    assert "approved" in pages[0]


def test_whoever_is_to_look_second_sees_what_the_first_one_saw(lin: User, mei: User) -> None:
    single, double = twins()
    approve(double, lin, output="林的写法，别人不得先见。")
    pages = [as_told(signed_in(mei).get(address("", given)).content, given) for given in (single, double)]
    assert pages[0] == pages[1]
    assert "林的写法" not in pages[1]
    assert "lin" not in re.findall(r"\w+", pages[1])


def test_the_first_look_is_not_told_that_somebody_holds_the_record(lin: User, mei: User) -> None:
    single, double = twins()
    approve(single, lin)
    first = approve(double, lin)
    assert claims.claim_next(by=mei) is not None
    pages = [as_told(signed_in(lin).get(address("", given)).content, given) for given in (single, double)]
    assert pages[0] == pages[1]
    with override("en"), pytest.raises(Refused, match="The record has moved on since"):
        decisions.undo(by=lin, decision=first)


def test_own_wording_stays_before_ones_eyes_after_a_first_look(lin: User) -> None:
    _single, double = twins()
    approve(double, lin, output="我改好的写法。")
    seen = blind.as_seen_by(lin, reload(double))
    assert (seen.state, seen.revision.output) == (State.APPROVED, "我改好的写法。")
    assert reload(double).state == State.SECOND


def test_a_dispute_is_shown_to_settlers_only(lin: User, mei: User, shen: User) -> None:
    _single, double = twins()
    approve(double, lin)
    decisions.decide(by=mei, record=double.pk, judgement=judgement(double, Verdict.REJECT, reason="梅的理由"))
    assert reload(double).state == State.DISPUTED
    for reviewer in (lin, mei):
        page = signed_in(reviewer).get(address("", double)).content.decode()
        other = "梅的理由" if reviewer == lin else "lin</"
        assert other not in page
        assert "disputed" not in page
    assert "梅的理由" in signed_in(shen).get(address("", double)).content.decode()


def test_history_tells_nothing_before_the_outcome(lin: User, mei: User) -> None:
    _single, double = twins()
    approve(double, lin)
    assert not blind.decisions_shown(mei, reload(double)).exists()
    assert not blind.moves_shown(mei, reload(double)).exists()
    assert blind.decisions_shown(lin, reload(double)).get().reviewer == lin
    approve(double, mei)
    assert blind.decisions_shown(mei, reload(double)).count() == 2


def test_home_counts_a_second_look_like_a_first(lin: User, mei: User) -> None:
    _single, double = twins()
    before = signed_in(mei).get(reverse("home")).content
    approve(double, lin)
    after = signed_in(mei).get(reverse("home")).content
    assert as_told(before, double) == as_told(after, double)
