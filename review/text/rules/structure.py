"""Texts that begin or end in the wrong place: cut off, glued together, without their question."""

import re

from review.text.rules.shape import (
    BEGIN,
    DIGIT,
    END,
    ENDS,
    MAX_SPANS,
    QUESTION,
    SPACES,
    Family,
    Kind,
    Rule,
    Span,
    Texts,
    answer,
    matching,
    question,
)

_MARKS = "，、,;；/|"
_APART = rf"[{_MARKS}]\s?"
_LISTED = "|".join(_APART.join(word) for word in ("无数值", "无数据", "暂无数据", "暂无", "未知", "空值", "缺失"))
_LISTED_LATIN = "|".join(_APART.join(word) for word in ("null", "NULL", "None", "none", "nan", "NaN"))

_MISSING_VALUE = Rule(
    id="missing_value_list",
    kind=Kind.FLAG,
    english="A word for a missing value was taken apart as if it were a list.",
    chinese="表示空值的词被当成列表逐字拆开，例如“无，数，值”。",
    find=matching(
        rf"(?<![\u4e00-\u9fff])(?:{_LISTED})(?![\u4e00-\u9fff])|(?<![A-Za-z])(?:{_LISTED_LATIN})(?![A-Za-z])"
    ),
    signs=(
        f"[无暂未空缺][{_MARKS}][{SPACES}]?[数无知值失]",
        f"[nN][{_MARKS}][{SPACES}]?[uUoOaA]",
    ),
    caught=(answer("别名：无，数，值"), question("类型为n,u,l,l的电影"), answer("主演：暂、无"), answer("N,o,n,e")),
    passed=(answer("可有可无，数量不多，价值不高。"), answer("无数，值得一看"), answer("u, v 两点")),
)

_HEADINGS = (
    "单项选择题|多项选择题|不定项选择题|选择题|填空题|判断题|简答题|论述题|法条分析题|案例分析题|分析题|分析|名词解释|"
    "专业综合课|专业基础课"
)
_CUT = re.compile(
    r"[：:，,、；（(“《【「]+\s*\Z|(?<!—)—{1,2}\s*\Z|(?<=[\u3400-\u9fff]);\s*\Z"
    r"|(?:见|看|观看|参见|请看|详见|如)(?:下|上|本)?(?:面|方|列|文)?(?:的)?(?:视频|图|图片|表|链接|评论区?|附件)[。.！!]?\s*\Z"
    r"|(?:未完待续|待续|点击查看(?:全文|更多)|阅读全文|展开全文|查看更多)[。.…！!）)】\]]*\s*\Z"
    r"|(?:例如|比如|包括|如下|以下几点|因为|但是|而且|以及|其中)\s*\Z"
)
_TAIL = 40


def _find_cut(texts: Texts) -> list[Span]:
    text = texts.output
    start = max(0, len(text) - _TAIL)
    match = _CUT.search(text, start)
    return [Span("output", *match.span())] if match else []


_UNFINISHED = Rule(
    id="unfinished_ending",
    kind=Kind.FLAG,
    english="The answer ends before it is complete, or refers to something that is not there.",
    chinese="回答没有写完，或结尾指向不在文中的内容，例如以冒号结尾、“见视频”。",
    find=_find_cut,
    signs=(
        f"[：:，,、；;（(“《【「—频图片表接区论件待续文多如括下点为是且及中{SPACES}]{END}{ENDS}",
        rf"(?:[频图片表接区论件待续文多][。.！!…）)】\]]|[…。！!）)】\].]{{2}}){END}{ENDS}",
    ),
    caught=(
        answer("主要原因有以下三点："),
        answer("具体做法请看视频。"),
        answer("第一，成本高，"),
        answer("（未完待续）"),
    ),
    passed=(answer("主要原因有三点：成本、时间和人手。"), answer("答案是 B"), answer("他看了视频。之后就睡了。")),
)

_NUMBERED = re.compile(
    r"\s*(?:【\d{1,4}】|第\s?\d{1,4}\s?题[.．、:：\s]?|例\s?\d{1,3}[.．、:：]|\d{1,4}[、．]|\d{1,4}\.(?!\d)|"
    r"\d{1,3}\.(?=\s?(?:19|20)\d\d\s?年)|[（(]\d{1,3}[)）](?=[\u4e00-\u9fff]))"
)
_FIRST = re.compile(r"\s*[（(【]?1\D")
_SECOND = re.compile(r"(?:^|[\n。；;？?！!])\s{0,4}[（(【]?2[】)）.．、]", re.MULTILINE)


def _find_number(texts: Texts) -> list[Span]:
    match = _NUMBERED.match(texts.instruction)
    if not match or (_FIRST.match(texts.instruction) and _SECOND.search(texts.instruction, match.end())):
        return []
    return [Span("instruction", *match.span())]


_QUESTION_NUMBER = Rule(
    id="question_number",
    kind=Kind.FLAG,
    english="The instruction begins with the number that the question had where it came from.",
    chinese="指令开头残留原题号，例如“15.”“【54】”。",
    find=_find_number,
    signs=(f"{QUESTION}{BEGIN}[{SPACES}]*[【第例（(]?[{SPACES}]?{DIGIT}",),
    caught=(
        question("15.2022 年我国粮食产量是多少？"),
        question("【54】下列说法正确的是"),
        question("3、什么是惯性？"),
    ),
    passed=(question("2022 年我国粮食产量是多少？"), question("1. 读文章\n2. 写摘要"), question("3.14 是什么数？")),
)

_OPTION_A = re.compile(r"(?:^|\n)[ \t]{0,4}A\s?[.．、:：]")
_GLUED = re.compile(
    rf"(?<=[。；;！!？?\s）)])(?:[一二三四五六七八九十]{{1,2}}、|(?:{_HEADINGS}))[：:]?\s*\Z"
    r"|(?<=[。！？!?.])[、，,：:；;]{1,3}\s*\Z|(?<=[。！？!?）)])\d{1,3}(?:/\d{1,3})?\s*\Z"
)
_BEGINNING = frozenset({"【0】", "【1】", "【01】"})
"""A list of its own begins so, and no item that was glued on."""
_INSIDE = re.compile(r"【\d{1,4}】|(?<=[。\n])(?:答案|【答案】|参考答案)[：:]")


def _find_glued(texts: Texts) -> list[Span]:
    found = [Span("instruction", *match.span()) for match in [*_OPTION_A.finditer(texts.instruction)][1:MAX_SPANS]]
    if match := _GLUED.search(texts.output, max(0, len(texts.output) - _TAIL)):
        found.append(Span("output", *match.span()))
    marks = list(_INSIDE.finditer(texts.output)) if "【" in texts.output or "答案" in texts.output else []
    numbers = [match for match in marks if match[0].startswith("【")]
    if numbers and numbers[0][0] not in _BEGINNING:
        found += [Span("output", *match.span()) for match in numbers]
    answers = [match for match in marks if "答案" in match[0]]
    return found + [Span("output", *match.span()) for match in answers[1:]]


_GLUED_ITEMS = Rule(
    id="glued_items",
    kind=Kind.FLAG,
    english="Two items run together: another set of options, another answer, or the heading of what came next.",
    chinese="两条内容粘在一起：多出一组选项、一个答案，或带上了下一部分的标题。",
    find=_find_glued,
    signs=(
        f"[题释析课、，,：:；;{DIGIT}{SPACES}]{END}{ENDS}",
        f"【{DIGIT}{{1,4}}】",
        "答案】?[：:]",
        f"[\n \t{BEGIN}]A[{SPACES}]?[.．、:：]",
    ),
    caught=(
        question("下列正确的是\nA. 甲\nB. 乙\n下列错误的是\nA. 丙\nB. 丁"),
        answer("因此选 D。二、"),
        answer("成立既遂。法条分析题"),
        answer("选 B。【55】下列说法"),
        answer("答案为 B。："),
        answer("故选项 D 错误。3"),
    ),
    passed=(
        question("下列正确的是\nA. 甲\nB. 乙\nC. 丙\nD. 丁"),
        answer("一、概念\n二、特征包括三点。"),
        answer("本题是一道简答题。"),
    ),
)

_STEM_LOST = Rule(
    id="stem_lost",
    kind=Kind.FLAG,
    english="The question itself is missing: the instruction begins with the options.",
    chinese="题干丢失：指令一开头就是选项。",
    find=matching(r"\A\s*(?:[（(][AＡ][)）]|[AＡ]\s?[.．、:：])", ("instruction",)),
    signs=(f"{QUESTION}{BEGIN}[{SPACES}]*[（(]?[AＡ]",),
    caught=(question("\nA. 甲\nB. 乙\nC. 丙\nD. 丁"), question("（A）红 （B）蓝")),
    passed=(question("选择正确的一项\nA. 甲\nB. 乙"), question("A 股和 B 股有什么不同？")),
)

FAMILY = Family(
    "structure",
    "Beginning and end",
    "开头与结尾",
    (
        _MISSING_VALUE,
        _UNFINISHED,
        _QUESTION_NUMBER,
        _GLUED_ITEMS,
        _STEM_LOST,
        _UNFINISHED.dropping("drop_unfinished", "Drops records whose answer is cut off.", "丢弃回答没有写完的记录。"),
        _STEM_LOST.dropping("drop_stem_lost", "Drops records whose question is missing.", "丢弃题干丢失的记录。"),
        _MISSING_VALUE.dropping(
            "drop_missing_value_list",
            "Drops records in which a word for a missing value was taken apart.",
            "丢弃空值被逐字拆开的记录。",
        ),
    ),
)
