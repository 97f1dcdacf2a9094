"""Packed files: read like what is inside, resumed anywhere, kept to the place of a damage, stopped as a bomb."""

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS, Recognised, compression, recognise
from ingest.readers.containers import CONTAINERS
from tests.ingest.faulty_lines import good_lines

PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
LINES = b"\n".join(good_lines(3000)) + b"\n"


def read(data: bytes, **options: Any) -> list[Document | Refusal]:
    return list(READERS["cqia"].read(io.BytesIO(data), **options))


def before_the_break(data: bytes, kind: str) -> tuple[int, str]:
    found = 0
    try:
        for _each in READERS["cqia"].read(io.BytesIO(data), container=f"jsonl.{kind}"):
            found += 1
    except Unreadable as error:
        return found, error.code
    return found, ""


@pytest.mark.parametrize("kind", PACK)
def test_a_packed_file_is_read_like_what_is_inside(kind: str) -> None:
    packed = PACK[kind](LINES)
    assert read(packed, container=f"jsonl.{kind}") == read(LINES)
    assert read(packed + packed, container=f"jsonl.{kind}") == read(LINES + LINES)


@pytest.mark.parametrize("kind", PACK)
def test_reading_a_packed_file_resumes_anywhere(kind: str) -> None:
    packed, whole = PACK[kind](LINES), read(LINES)
    for place in (0, 1, 1499, 2998, 2999):
        after = read(packed, container=f"jsonl.{kind}", offset=whole[place].end, line=whole[place].line)
        assert after == whole[place + 1 :]


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("container", [name for name in CONTAINERS if name not in {"jsonl", "parquet"}])
def test_every_container_can_be_packed(kind: str, container: str) -> None:
    assert list(CONTAINERS[container](io.BytesIO())) == read(PACK[kind](b""), container=f"{container}.{kind}") == []


@pytest.mark.parametrize("kind", PACK)
def test_what_stands_before_a_cut_is_read(kind: str) -> None:
    packed = PACK[kind](LINES)
    found, code = before_the_break(packed[: len(packed) * 3 // 4], kind)
    assert code == "archive_cut_off"
    assert 0 < found < 3000
    assert before_the_break(packed[:-1], kind)[1] == "archive_cut_off"


@pytest.mark.parametrize("kind", PACK)
def test_what_stands_before_a_damage_is_read(kind: str) -> None:
    assert before_the_break(PACK[kind](LINES) + b"no more of that", kind) == (3000, "archive_damaged")


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_stopped_where_text_would_have_ended(kind: str) -> None:
    bomb = PACK[kind](LINES + b"0" * (3 * compression.ALWAYS_ALLOWED_BYTES))
    assert before_the_break(bomb, kind) == (3000, "archive_too_large")


def test_text_of_any_size_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    text = LINES * 20
    assert before_the_break(gzip.compress(text), "gz") == (60_000, "")
    monkeypatch.setattr(compression, "MAX_UNPACKED_BYTES", 1 << 20)
    assert before_the_break(gzip.compress(text), "gz")[1] == "archive_too_large"


@pytest.mark.parametrize("zeros", [1, 65_535, 65_536, 200_000])
def test_zeros_between_the_members_of_a_gzip_file_are_passed_over(zeros: int) -> None:
    packed = gzip.compress(LINES)
    for padded in (packed + bytes(zeros) + packed, packed + bytes(zeros) + packed + bytes(zeros)):
        assert gzip.decompress(padded) == LINES + LINES
        assert before_the_break(padded, "gz") == (6000, "")
    assert before_the_break(packed + bytes(zeros) + b"no more", "gz") == (3000, "archive_damaged")


@pytest.mark.parametrize("magic", [0x184D2A50, 0x184D2A57, 0x184D2A5F])
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_a_frame_without_contents_may_come_first(magic: int, size: int, tmp_path: Path) -> None:
    frame = struct.pack("<II", magic, size) + b"x" * size
    file = tmp_path / "a"
    for packed in (frame + zstandard.compress(LINES), frame * 2 + zstandard.compress(LINES) + frame):
        file.write_bytes(packed)
        assert recognise(file) == Recognised("cqia", "jsonl.zst", "utf-8")
        assert before_the_break(packed, "zst") == (3000, "")
