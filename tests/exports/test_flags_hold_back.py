"""A policy may hold back what rules flag, such as personal data: everywhere, until the text is mended."""

import json
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from exports import build, releases
from exports.card import _REASONS
from exports.held import FLAGGED, WORDS, held
from exports.models import Policy
from exports.options import Options
from review.models import Record, Source, User
from review.text.rules import PERSONAL
from tests.exports.conftest import cut, policy
from tests.factories import approve, record

pytestmark = pytest.mark.django_db
LICENCES = ["CC0-1.0"]


@pytest.fixture
def strict() -> Policy:
    research = policy("research")
    research.holds_back_flags = sorted(PERSONAL)
    research.save(update_fields=["holds_back_flags"])
    return research


@pytest.fixture
def reachable(lin: User, ruozhiba: Source) -> Record:
    """An approved record with a telephone number in it, beside one without."""
    from review import rights  # noqa: PLC0415

    rights.decide_rights(ruozhiba, by=None, licence="CC0-1.0")
    approve(record(), lin)
    given = record(output="请拨打13812345678。")
    approve(given, lin)
    return given


def test_flagged_records_stay_and_the_reason_is_named(strict: Policy, reachable: Record) -> None:
    release = cut()
    assert (release.records, release.held_back) == (1, {"ruozhiba": {FLAGGED: 1}})
    assert release.holds_back_flags == sorted(PERSONAL)
    planned = releases.plan(policy=strict, options=Options())
    assert (planned.records, planned.held_back) == ({"ruozhiba": 1}, {"ruozhiba": {FLAGGED: 1}})
    (one,) = held(release.held_back, {})
    assert str(one.words) == "flagged by a rule that the policy heeds"


def test_flags_that_no_policy_heeds_hold_nothing_back(reachable: Record) -> None:
    release = cut()
    assert (release.records, release.held_back) == (2, {})


def test_a_record_whose_text_was_mended_leaves(strict: Policy, lin: User, reachable: Record) -> None:
    mended = record(output="请拨打13912345678。")
    approve(mended, lin, output="请拨打当地的服务电话。")
    assert cut().records == 2
    assert set(Record.objects.releasable(LICENCES)) >= {mended, reachable}
    assert reachable not in Record.objects.releasable(LICENCES, without=PERSONAL)


def test_what_holds_back_stands_in_the_manifest(strict: Policy, reachable: Record, release_root: Path) -> None:
    release = cut()
    build.build(release.pk)
    said = json.loads((release_root / "v1" / "manifest.json").read_text(encoding="utf-8"))
    assert said["policy"]["holds_back_flags"] == sorted(PERSONAL)
    assert said["held_back"] == {FLAGGED: 1}


def test_only_flags_can_be_named(strict: Policy) -> None:
    for wrong in ("drop_model_voice", "no_such_flag"):
        strict.holds_back_flags = [wrong]
        with pytest.raises(ValidationError, match="There is no flag"):
            strict.full_clean()


def test_the_card_has_words_for_every_reason() -> None:
    assert set(WORDS) <= set(_REASONS)
