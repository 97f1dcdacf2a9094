"""Ranges and conditions of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.ranges import Unsatisfiable, names, part

TAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=0-", (0, 100)),
        ("bytes=99-", (99, 1)),
        ("bytes=10-19", (10, 10)),
        ("bytes=90-500", (90, 10)),
        ("bytes=-1", (99, 1)),
        ("bytes=-500", (0, 100)),
        (" Bytes = 1-2 ", (1, 2)),
        ("lines=1-2", None),
    ],
)
def test_part_of_a_file(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert part(header, 100) == wanted


@pytest.mark.parametrize(
    "header",
    [
        *("bytes=", "bytes=-", "bytes=-0", "bytes=100-", "bytes=5-4", "bytes=a-b", "bytes=1", "bytes"),
        *(
            "bytes=0-0,1-1",
            "bytes=" + "0-0," * 1000,
            "bytes=--1",
            "bytes=1-2-3",
            "bytes=0x1-2",
            "bytes=" + "9" * 5000 + "-",
        ),
        "bytes=٣-٤",
    ],
    ids=lambda header: header[:16],
)
def test_65_part_that_is_none_or_many_is_refused(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        part(header, 100)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_empty_file_has_no_parts(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        part(header, 0)


@given(header=st.text(max_size=30).map("bytes={}".format) | st.text(max_size=30), size=st.integers(0, 10**6))
def test_part_lies_inside_the_file_whatever_is_asked(header: str, size: int) -> None:
    try:
        found = part(header, size)
    except Unsatisfiable:
        return
    if found is not None:
        start, length = found
        assert 0 <= start < start + length <= size


@pytest.mark.parametrize(
    ("header", "weakly", "wanted"),
    [
        (None, False, False),
        ("", False, False),
        ("*", False, True),
        (TAG, False, True),
        ('"x", "abc"', False, True),
        ('"x"', False, False),
        ("abc", False, False),
        (f"W/{TAG}", False, False),
        (f"W/{TAG}", True, True),
    ],
)
def test_header_names_the_tag(header: str | None, weakly: object, wanted: object) -> None:
    assert names(header, TAG, weakly=bool(weakly)) is wanted
