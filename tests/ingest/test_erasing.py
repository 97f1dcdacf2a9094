"""Of what is erased nothing stays in the uploads, however many lines a record has there and however these end."""

import json
from pathlib import Path

import pytest

from ingest import erasing
from review import erasure, takedowns
from review.models import Record
from review.tracing import Asked
from tests.ingest.importing import imported

pytestmark = [pytest.mark.django_db]

QUESTION = "如何保守这样一个秘密呢？"
ROWS = (
    "title,body\n"
    "如何种一棵树呢？,<p>先挖一个坑，再放树苗。</p>\n"
    f'{QUESTION},"<p>这里是第一段，说给自己听。</p>\n<p>这里是<b>第二段</b>，谁也不说。</p>\n<p>这里是第三段，到此为止。</p>"\n'
    "如何画一只猫呢？,<p>先画一个圆，再画两只耳朵。</p>\n"
)
BLOCKS = (
    "b\n1.说到会飞的动物，人们各有各的看法。\n以下哪一种会飞？\nA.鲸鱼\nB.麻雀\nC.蚂蚁\nD.兔子\n\n"
    f"c\n2.{QUESTION}\n以下哪一种最好？\nA.写在纸上的那一种\nB.说给风听的那一种\nC.第二段\nD.第三段\n\n"
    "c\n3.说到会发光的东西，人们各有各的看法。\n以下哪一种会发光？\nA.石头\nB.木头\nC.太阳\nD.泥土\n"
)
SHAPES = {"rows": (ROWS, "wikihow", "articles"), "blocks": (BLOCKS, "logi-qa", "blocks")}
PARTS = ("秘密", "第一段", "第二段", "第三段", "写在纸上", "说给风听")


def erase(given: Record) -> None:
    takedown = takedowns.request(by=None, requester="权利人", ground="著作权", asked=Asked(records=(given.pk,)))
    takedowns.confirm(takedown, by=None)
    assert erasure.erase(takedown, by=None) == 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_record_of_several_lines_goes_whole_and_alone(shape: str, end: str, encoding: str) -> None:
    text, source, form = SHAPES[shape]
    content = text.replace("\n", end).encode(encoding)
    upload = imported(content, source=source, format=form, encoding=encoding).uploads.get()
    erase(Record.objects.get(revision__instruction__contains=QUESTION))
    left = upload.path.read_bytes()
    assert len(left) == len(content)
    assert [part for part in PARTS if part.encode(encoding) in left] == []
    assert "会飞".encode(encoding) in left or "一棵树".encode(encoding) in left
    assert "会发光".encode(encoding) in left or "一只猫".encode(encoding) in left


@pytest.mark.parametrize(
    ("content", "needles", "left"),
    [
        (b"a\nbb\ncc\nd\n", (b"bb", b"b\ncc"), b"a\n     \nd\n"),
        (b"a\nbb\ncc\nd\n", (b"bb\nc", b"c\nd"), b"a\n       \n"),
        (b"x-x\nx-x\nx", (b"x\nx",), b" " * 9),
        (b"ab ab\ncd\nab\n", (b"ab", b"b\nc"), b"        \n  \n"),
        (b"one line, long enough for pieces", (b"long",), b" " * 32),
        (b"nothing of it\n", (b"else",), b"nothing of it\n"),
        (b"nothing is wanted\n", (), b"nothing is wanted\n"),
    ],
)
def test_lines_that_several_needles_share_are_blanked_together(
    content: bytes, needles: tuple[bytes, ...], left: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "PIECE_BYTES", 7)
    path = tmp_path / "upload"
    path.write_bytes(content)
    for order in (needles, needles[::-1]):
        path.write_bytes(content)
        assert erasing._overwrite(path, order) == (left != content)
        assert path.read_bytes() == left


def test_lines_of_others_that_hold_the_text_go_too() -> None:
    """A text is known by itself as well, wherever it stands."""
    line = json.dumps({"instruction": "照抄一遍", "input": "", "output": QUESTION}, ensure_ascii=False)
    upload = imported(f"{line}\n".encode()).uploads.get()
    imported(ROWS.encode(), source="wikihow", format="articles")
    erase(Record.objects.get(revision__instruction__contains=QUESTION))
    assert upload.path.read_bytes().strip() == b""
