"""What may be asked for of a release, and that the same options are the same again."""

import json

import pytest

from exports.options import WHOLE, Mixture, Options, drawn, splits
from exports.releases import options
from review.refused import Ground, Refused
from tests.exports.test_writers import line_of, record


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("train=0.95,validation=0.05", (("train", "0.95"), ("validation", "0.05"))),
        (" train = .5 , test=0.50", (("train", "0.5"), ("test", "0.5"))),
        ("a=0.333333333,b=0.333333333,c=0.333333334", None),
        ("train=1", (("train", "1"),)),
    ],
)
def test_splits_are_read(text: str, found: tuple[tuple[str, str], ...] | None) -> None:
    assert splits(text) == found if found is not None else len(splits(text)) == 3


@pytest.mark.parametrize(
    "text",
    ["train", "train=", "train=2", "train=0.9", "train=0.6,test=0.6", "train=0,test=1", "T=1", "a.b=1", "train=1e0"],
)
def test_splits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        splits(text)
    assert refusal.value.ground == Ground.INVALID


def test_split_follows_from_the_question() -> None:
    """Another answer to the same question falls into the same split: nothing of the test set is trained on."""
    assert drawn(line_of(record("问", "材料", "甲"))) == drawn(line_of(record("问", "材料", "乙")))
    assert drawn(line_of(record("问材", "料"))) != drawn(line_of(record("问", "材料")))


def test_splits_have_their_shares() -> None:
    ends = Options(splits=splits("train=0.9,validation=0.1")).bounds()
    assert ends == [int(WHOLE * 9 // 10), WHOLE]
    inside = sum(drawn(line_of(record(f"第{number}问"))) < ends[0] for number in range(5000))
    assert 4400 < inside < 4600


@pytest.mark.parametrize(
    "said",
    [
        [],
        None,
        {"caps": []},
        {"caps": {"zhihu": -1}},
        {"caps": {"zhihu": 1.5}},
        {"caps": {"zhihu": True}},
        {"caps": {"zhihu": "1"}},
        {"seed": "x"},
        {"capz": {}},
        {"seed": 2**40},
    ],
)
def test_mix_that_is_none_is_refused(said: object) -> None:
    with pytest.raises(Refused, match="A mix is a JSON object"):
        Mixture.from_json(said)


def test_options_are_the_same_after_they_were_kept() -> None:
    asked = Options(
        sources=("mba", "zhihu"),
        formats=("cqia", "parquet"),
        mix=Mixture((("zhihu", 5),), 42, 3),
        splits=splits("train=0.9,validation=0.1"),
        shard_size=1000,
        compress="zstd",
    )
    kept = json.loads(json.dumps(asked.as_json()))
    assert kept == asked.as_json()
    assert Options.from_json(kept) == asked


def test_options_that_are_not_used_leave_no_trace() -> None:
    assert Options().as_json() == {"formats": ["cqia"]}


@pytest.mark.django_db
def test_mix_of_an_unknown_source_is_refused() -> None:
    with pytest.raises(Refused, match="There is no source “nowhere”"):
        options(mix={"caps": {"nowhere": 1}})
