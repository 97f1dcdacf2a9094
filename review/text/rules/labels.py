"""Labels outside a controlled vocabulary, and an answer whose author nobody knows."""

from collections.abc import Callable

from review.text.rules.shape import Family, Find, Kind, Rule, Span, Texts

type Labels = tuple[str, ...]

PREFERRED = {
    "书": "图书",
    "书籍": "图书",
    "读书": "图书",
    "影视": "电影",
    "影片": "电影",
    "医学": "医疗",
    "医药": "医疗",
    "健康医疗": "医疗",
    "法学": "法律",
    "经济金融": "金融",
    "财经": "金融",
    "编程": "计算机",
    "代码": "计算机",
    "程序": "计算机",
    "电脑": "计算机",
    "古文": "文言文",
    "百科知识": "百科",
    "通识": "百科",
    "问题回答": "问答",
    "知识问题": "知识问答",
    "选择题目": "选择题",
    "摘要生成": "摘要",
    "分类任务": "分类",
    "小程序": "微信小程序",
    "autism": "自闭症儿童",
    "barrier_free": "无障碍",
    "data_science": "数据科学",
    "environmental_science": "环境科学",
    "intimate_relationship": "亲密关系",
    "lesser_known_major": "冷门专业",
    "social_science": "社会学",
    "law": "法律",
    "psychology": "心理学",
    "medicine": "医疗",
    "medical": "医疗",
    "finance": "金融",
    "history": "历史",
    "education": "教育",
    "literature": "文学",
    "general": "通用",
    "encyclopedia": "百科",
}
"""Words that are used for the same label, some of them English, and the one to prefer."""
_PREFERRED = frozenset(PREFERRED)


def _labelled(
    *,
    major: tuple[str, ...] = (),
    minor: tuple[str, ...] = (),
    domain: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
) -> Texts:
    return Texts("问题？", "", "这是一个完整的回答。", "", major, minor, domain, names=names)


def _by_list(is_meant: Callable[[Labels], bool]) -> Find:
    """Return the finder of the lists of labels that are meant."""

    def find(texts: Texts) -> list[Span]:
        lists = (("major", texts.major), ("minor", texts.minor), ("domain", texts.domain))
        return [Span(name, 0, 0) for name, labels in lists if is_meant(tuple(labels))]

    return find


_REPEATED_LABEL = Rule(
    id="repeated_label",
    kind=Kind.FLAG,
    english="A label is given twice.",
    chinese="同一个标签重复出现。",
    find=_by_list(lambda labels: len(labels) != len(set(labels))),
    is_of_labels=True,
    caught=(_labelled(minor=("选择题", "选择题")),),
    passed=(_labelled(minor=("选择题", "填空题")),),
)


def _find_source(texts: Texts) -> list[Span]:
    return [] if set(texts.names).isdisjoint(texts.major) else [Span("major", 0, 0)]


_LABEL_IS_SOURCE = Rule(
    id="label_is_source",
    kind=Kind.FLAG,
    english="A main task type is the name of the source and says nothing of the task.",
    chinese="主任务类型写成了来源名，没有说明任务。",
    find=_find_source,
    is_of_labels=True,
    caught=(_labelled(major=("豆瓣",), names=("douban", "豆瓣")),),
    passed=(_labelled(major=("问答",), names=("douban", "豆瓣")),),
)


_LABEL_VARIANT = Rule(
    id="label_variant",
    kind=Kind.FLAG,
    english="A label is another word for one that is preferred, such as 书 for 图书.",
    chinese="标签用了另一种叫法，例如“书”应为“图书”。",
    find=_by_list(lambda labels: not _PREFERRED.isdisjoint(labels)),
    is_of_labels=True,
    caught=(_labelled(domain=("书",)), _labelled(domain=("医学", "百科")), _labelled(domain=("心理学", "psychology"))),
    passed=(_labelled(domain=("图书", "医疗")), _labelled(domain=("javascript", "前端"))),
)


def _find_unknown_author(texts: Texts) -> list[Span]:
    return [Span("answer_from", 0, 0)] if texts.answer_from == "" and texts.output else []


_ANSWER_FROM_UNKNOWN = Rule(
    id="answer_from_unknown",
    kind=Kind.FLAG,
    english="It is not known who wrote the answer; say so before approving.",
    chinese="不知道回答由谁撰写；通过前须补上。",
    find=_find_unknown_author,
    is_of_labels=True,
    caught=(Texts("问题？", "", "回答。", answer_from=""),),
    passed=(Texts("问题？", "", "回答。", answer_from="human"), Texts("问题？", "", "", answer_from="")),
)

FAMILY = Family(
    "labels",
    "Labels",
    "标签",
    (_REPEATED_LABEL, _LABEL_IS_SOURCE, _LABEL_VARIANT, _ANSWER_FROM_UNKNOWN),
)
