"""Fields that stand in each other's place, or say the same."""

import re

from review.text.rules.shape import END, ENDS, SPACES, Family, Kind, Rule, Span, Texts

_SENTENCE = 12
"""A text shorter than this says nothing of itself: the answer to an exercise may repeat one word of it."""
_SHORT_QUESTION = 80
_ASKS = re.compile(r"[?？]\s*\Z")
_TOLD = re.compile(r"[。.！!”\"]\s*\Z")
_WANTS = re.compile(
    r"[?？]|请|写|问|题|翻译|续|改|什么|如何|怎|吗|呢|哪|谁|几|为何|给|列|说|介绍|分析|解释|总结|生成|选择"
)


def _find_same(texts: Texts) -> list[Span]:
    said, answered = texts.instruction.strip(), texts.output.strip()
    if answered and answered == said:
        return [Span("output", 0, 0)]
    given = texts.input and texts.input.strip()
    return [Span("input", 0, 0)] if len(given) >= _SENTENCE and given in {answered, said} else []


_SAME_TEXT = Rule(
    id="same_text",
    kind=Kind.FLAG,
    english="Two fields hold the same text, such as an answer that only repeats the instruction.",
    chinese="两个字段内容相同，例如回答只是重复了指令。",
    find=_find_same,
    caught=(
        Texts("为什么天空是蓝色的？", "", "为什么天空是蓝色的？"),
        Texts("翻译下面的句子。", "今天的天气真的非常晴朗。", "今天的天气真的非常晴朗。 "),
        Texts("今天的天气真的非常晴朗。", "今天的天气真的非常晴朗。", "天气晴朗"),
    ),
    passed=(
        Texts("为什么天空是蓝色的？", "", "因为散射。"),
        Texts("句子有错就改，没错就照抄。", "你好", "你好"),
        Texts("请写诗。", "", ""),
    ),
)


def _find_swapped(texts: Texts) -> list[Span]:
    answered = texts.output
    if len(answered) > _SHORT_QUESTION or not _ASKS.search(answered):
        return []
    said = texts.input or texts.instruction
    is_told = len(said) > len(answered) and _TOLD.search(said[-3:]) and not _WANTS.search(said)
    wants_a_question = texts.input and _WANTS.search(texts.instruction)
    return [Span("output", 0, 0)] if is_told and not wants_a_question else []


_SWAPPED = Rule(
    id="swapped_fields",
    kind=Kind.FLAG,
    english="Question and answer seem to have changed places: the answer asks, the instruction tells.",
    chinese="问与答疑似颠倒：回答在提问，指令却在陈述。",
    find=_find_swapped,
    signs=(f"[?？{SPACES}]{END}{ENDS}",),
    caught=(
        Texts("因为大气分子对短波长的光散射更强，所以晴朗的天空看起来是蓝色的。", "", "为什么天空是蓝色的？"),
        Texts("知识", "水在一百摄氏度沸腾，这是在标准大气压下测得的。", "水在多少度沸腾？"),
    ),
    passed=(
        Texts("为什么天空是蓝色的？", "", "你说的是晴天吗？"),
        Texts("根据下面的回答写出问题。", "水在一百摄氏度沸腾，这是在标准大气压下测得的。", "水在多少度沸腾？"),
        Texts("请把句子改成反问句。", "", "难道不是吗？"),
    ),
)

FAMILY = Family(
    "fields",
    "Fields",
    "字段",
    (
        _SAME_TEXT,
        _SWAPPED,
        _SAME_TEXT.dropping(
            "drop_same_text", "Drops records two fields of which hold the same text.", "丢弃两个字段内容相同的记录。"
        ),
    ),
)
