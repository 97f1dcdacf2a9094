"""What a prompt template leaves behind when it goes wrong: doubled marks, empty ones, slots that nobody filled."""

from review.text.rules.shape import SPACES, Family, Kind, Rule, answer, matching, question, replacing

_PAIRS = "《》“”【】『』"
_DOUBLED = "|".join(f"{mark}{mark}+" for mark in _PAIRS)

_DOUBLED_MARKS = Rule(
    id="doubled_marks",
    kind=Kind.FLAG,
    english="Quotation or title marks stand twice, as when a template adds them to a title that has them.",
    chinese="书名号或引号重复，例如“《《书名》》”，多为模板给已带标点的标题又加了一层。",
    find=matching(_DOUBLED),
    signs=tuple(mark * 2 for mark in _PAIRS),
    caught=(question("请介绍一下《《红楼梦》》。"), question("““人工智能””是什么？"), answer("出自《论语》》。")),
    passed=(question("请介绍一下《红楼梦》。"), answer("他说：“她说‘好’。”"), answer("《〈论语〉新解》")),
    repair=replacing(f"([{_PAIRS}])\\1+", r"\1"),
)

_NAMED = (
    "title|name|topic|keyword|keywords|content|question|answer|text|input|output|year|author|number|num|length|section|"
    "sections|director|genre|region|placeholder"
)
_BESIDE = r"[\u4e00-\u9fff《》“”「」（），。：、？！]"
"""Beside which a name in braces is a slot of a sentence, not a piece of a program."""
_NOTHING = "None|none|nan|NaN|null|NULL|undefined"
_SLOT = "|".join(
    (
        rf"\{{\{{\s{{0,3}}(?:{_NAMED}|[\u4e00-\u9fff]{{1,8}})\s{{0,3}}\}}\}}",
        rf"\{{(?<={_BESIDE}\{{)(?:{_NAMED})\}}|\{{(?:{_NAMED})\}}(?={_BESIDE})|\{{[\u4e00-\u9fff]{{1,8}}\}}",
        rf"<(?:{_NAMED.upper()})>",
        rf"【(?<={_BESIDE}【)(?:标题|书名|片名|关键词|主题|姓名|作者)】|【此处填写[^】]{{0,10}}】",
        *(rf"{left}(?:\s{{0,3}}|{_NOTHING}){right}" for left, right in ("《》", "“”", "「」")),
    )
)

_UNFILLED_SLOT = Rule(
    id="unfilled_slot",
    kind=Kind.FLAG,
    english="A slot of a template was not filled in, or was filled with nothing.",
    chinese="模板的空位没有填上，或填了空值，例如“{title}”“《》”“《nan》”。",
    find=matching(_SLOT),
    signs=(
        f"\\{{[{SPACES}{{]{{0,4}}(?:{_NAMED}|[\u4e00-\u9fff]{{1,8}})[{SPACES}]{{0,3}}\\}}",
        f"<(?:{_NAMED.upper()})>",
        "【(?:标题|书名|片名|关键词|主题|姓名|作者|此处)",
        f"[《“「](?:[{SPACES}》”」]|{_NOTHING})",
    ),
    caught=(
        question("请为电影《{title}》写一段影评。"),
        question("请写一篇关于{{主题}}的文章。"),
        question("《nan》讲了什么？"),
        question("如何评价“”？"),
        answer("<TITLE>是一部好电影。"),
    ),
    passed=(
        question("集合 {1, 2, 3} 有几个子集？"),
        answer("function f() { return x; }"),
        question("《红楼梦》"),
        answer("title={title} dataIndex="),
        answer("题玉泉溪\n【作者】湘中女子"),
    ),
)

FAMILY = Family(
    "templates",
    "Templates",
    "提示模板",
    (
        _DOUBLED_MARKS,
        _UNFILLED_SLOT,
        _DOUBLED_MARKS.repairing(
            "single_marks", "Leaves one of doubled quotation or title marks.", "重复的书名号或引号只留一个。"
        ),
        _UNFILLED_SLOT.dropping(
            "drop_unfilled_slot", "Drops records with a slot that was not filled in.", "丢弃模板空位没有填上的记录。"
        ),
    ),
)
