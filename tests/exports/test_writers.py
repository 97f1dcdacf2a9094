"""The forms of a release: what each holds, and that the bytes follow from the content alone."""

import gzip
import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from exports.writers import WRITERS
from exports.writers.form import BLOCK_BYTES, Packed
from exports.writers.parquet import rows
from exports.writers.texts import texts

NASTY = (
    '", "input": "',
    '", "task_type": {"major": ["x"]',
    '引号“”"\'\\ 反斜杠\\"',
    "换行\n制表\t\u2028\u0085\x0b 控制\x01",
    "𠮷野家👨‍👩‍👧 e\u0301",
    "",
)


def record(instruction: str = "问", given: str = "", output: str = "答") -> dict[str, Any]:
    return {
        "instruction": instruction,
        "input": given,
        "output": output,
        "task_type": {"major": ["问答"], "minor": []},
        "domain": ["百科"],
        "metadata": "暂无元数据信息",
        "answer_from": "human",
        "human_verified": True,
        "copyright": "某人",
    }


def line_of(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def written(form: str, lines: list[bytes], compression: str | None = None, step: int = 1000) -> bytes:
    """What a writer makes of the lines when they come `step` at a time."""
    blocks: list[bytes] = []
    opened = WRITERS[form].begin(blocks.append, compression)
    for start in range(0, len(lines), step):
        opened.add(lines[start : start + step])
    opened.close()
    return b"".join(blocks)


@pytest.mark.parametrize("instruction", NASTY)
@pytest.mark.parametrize("given", NASTY)
def test_texts_are_found_without_decoding(instruction: str, given: str) -> None:
    line = line_of(record(instruction, given, '回答", "task_type": {'))
    found = [json.loads(b'"' + text + b'"') for text in texts(line)]
    assert found == [instruction, given, '回答", "task_type": {']


@pytest.mark.parametrize("line", [b"", b"{}", b'{"instruction": "x"}', b'{"input": "x", "instruction": "y"}'])
def test_texts_of_another_line_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not found"):
        texts(line)


@pytest.mark.parametrize("text", NASTY)
def test_alpaca_holds_the_three_texts(text: str) -> None:
    said = json.loads(written("alpaca", [line_of(record("问", text, "答"))]))
    assert said == {"instruction": "问", "input": text, "output": "答"}


@pytest.mark.parametrize("text", NASTY)
def test_conversations_put_the_input_under_the_instruction(text: str) -> None:
    line = line_of(record("问", text, "答"))
    asked = f"问\n{text}" if text else "问"
    assert json.loads(written("sharegpt", [line])) == {
        "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": "答"}]
    }
    assert json.loads(written("messages", [line])) == {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": "答"}]
    }


def test_chat_forms_pass_the_published_checks() -> None:
    """The checks of the two formats: roles alternate, the asking one first, the answering one last, texts not empty."""
    lines = [line_of(record(f"第{number}问", "材料" * (number % 2), "答")) for number in range(6)]
    for entry in map(json.loads, written("messages", lines).splitlines()):
        assert list(entry) == ["messages"]
        assert all(set(message) == {"role", "content"} for message in entry["messages"])
        assert [message["role"] for message in entry["messages"]] == ["user", "assistant"]
        assert all(isinstance(message["content"], str) and message["content"] for message in entry["messages"])
    for entry in map(json.loads, written("sharegpt", lines).splitlines()):
        turns = entry["conversations"]
        assert turns[0]["from"] == "human"
        assert all(one["from"] != other["from"] for one, other in pairwise(turns))
        assert {turn["from"] for turn in turns} <= {"human", "gpt", "system", "function_call", "observation"}


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("form", WRITERS)
def test_bytes_follow_from_the_content_alone(form: str, compression: str | None) -> None:
    answers = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(9000)]
    lines = [line_of(record(f"第{number}问", output=answer)) for number, answer in enumerate(answers)]
    assert written(form, lines, compression) == written(form, lines, compression, step=7)


@pytest.mark.parametrize(("compression", "unpack"), [("gzip", gzip.decompress), ("zstd", zstandard.decompress)])
def test_compressed_lines_are_the_lines(compression: str, unpack: Any) -> None:
    lines = [line_of(record(f"第{number}问")) for number in range(50)]
    packed = written("cqia", lines, compression)
    whole = zstandard.ZstdDecompressor().decompressobj().decompress(packed) if compression == "zstd" else unpack(packed)
    assert whole == b"\n".join([*lines, b""])


def test_gzip_holds_no_time() -> None:
    assert written("cqia", [line_of(record())], "gzip")[4:8] == bytes(4)


def test_compressor_is_fed_blocks_of_one_size() -> None:
    whole: list[bytes] = []
    packed = Packed(whole.append, "gzip")
    packed(b"x" * (3 * BLOCK_BYTES + 5))
    packed.close()
    pieces: list[bytes] = []
    packed = Packed(pieces.append, "gzip")
    for _ in range(3 * BLOCK_BYTES // 1024):
        packed(b"x" * 1024)
    packed(b"x" * 5)
    packed.close()
    assert b"".join(whole) == b"".join(pieces)


def test_parquet_rows_are_those_of_the_lines(tmp_path: Path) -> None:
    """A list that is always empty keeps its type."""
    said = [record(text, output=text or "答") | {"domain": []} for text in NASTY] * 900
    (tmp_path / "x.parquet").write_bytes(written("parquet", list(map(line_of, said)), step=100))
    assert list(rows(tmp_path / "x.parquet")) == said
