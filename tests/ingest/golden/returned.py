"""Lines of a rejects file that come back mended, each in the shape that it names."""

from typing import Any

from tests.ingest.golden.made import Golden, Made


def _entry(raw: str, **said: Any) -> dict[str, Any]:
    return {"code": "x", "message": "", "offset": 0, "cut": False, "raw": raw} | said


RETURNED: dict[str, Golden] = {
    "rejects": Golden(
        [
            _entry('{"instruction": "雨从哪里来？", "output": "从云里来。"}', format="alpaca", container="array"),
            _entry(
                '{"messages": [{"role": "user", "content": "几点了？"}, {"role": "assistant", "content": "三点。"}]}',
                format="messages",
                container="jsonl",
            ),
            _entry("山高吗？,很高。", format="qa", container="csv", columns=["问题", "答案"]),
            _entry("古文：舟去岸。\n现代文：船离开了岸。", format="parallel", container="blocks"),
            _entry('{"instruction": "问"', format="alpaca", container="jsonl", cut=True),
        ],
        [
            Made("雨从哪里来？", "从云里来。"),
            Made("几点了？", "三点。"),
            Made("山高吗？", "很高。"),
            Made("请把下面的文言文翻译成现代文：\n舟去岸。", "船离开了岸。"),
            Made("not_mended", "/raw"),
        ],
        "rejects",
    ),
}
