"""Raw material of every format, five records each, written for this project; and what must become of each of them.

An expectation holds instruction, output, and whatever else of the document is worth saying.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Made(NamedTuple):
    """What must become of a record."""

    instruction: str
    output: str
    others: Mapping[str, Any] = MappingProxyType({})


class Golden(NamedTuple):
    """Records of a format: as values, written as JSONL, or as the bytes of a file in another container."""

    raw: list[dict[str, Any]] | str
    made: list[Made]
    container: str = "jsonl"


def _answer(number: int, content: str, detail: str = "", **others: Any) -> dict[str, Any]:
    question = {"id": str(number), "title": f"第{number}个问题怎么办？", "detail": detail}
    return {"id": str(number * 10), "question": question, "content": content, "voteup_count": number * 100} | others


GOLDEN: dict[str, Golden] = {
    "cqia": Golden(
        [
            {
                "instruction": "桥为什么要留伸缩缝？",
                "input": "",
                "output": "热胀冷缩时给桥面留出余地。",
                "answer_from": "human",
            },
            {
                "instruction": "概括下文。",
                "input": "雨下了三天，河水涨了。",
                "output": "连雨致河水上涨。",
                "domain": ["语文"],
            },
            {
                "instruction": "写一句问候。",
                "output": "早上好，今天也请多保重。",
                "task_type": {"major": ["文本生成"], "minor": ["问候"]},
            },
            {"instruction": "三加五等于几？", "output": "", "metadata": "出处:练习册"},
            {
                "instruction": "“温故”的“故”是什么意思？",
                "output": "旧的知识。",
                "answer_from": "老师",
                "human_verified": True,
            },
        ],
        [
            Made("桥为什么要留伸缩缝？", "热胀冷缩时给桥面留出余地。", {"answer_from": "human"}),
            Made("概括下文。", "连雨致河水上涨。", {"input": "雨下了三天，河水涨了。", "domain": ("语文",)}),
            Made("写一句问候。", "早上好，今天也请多保重。", {"major": ("文本生成",), "minor": ("问候",)}),
            Made("三加五等于几？", "", {"metadata": "出处:练习册"}),
            Made("“温故”的“故”是什么意思？", "旧的知识。", {"answer_from": "", "claimed_human_verified": True}),
        ],
    ),
    "alpaca": Golden(
        [
            {"instruction": "列出三种水果。", "input": "", "output": "苹果、梨、桃。"},
            {"instruction": "改成反问句。", "input": "这件事很重要。", "output": "这件事难道不重要吗？"},
            {
                "instruction": "那第二大的呢？",
                "output": "北冰洋之外，最小的是印度洋的一半。",
                "history": [["最大的洋是哪个？", "太平洋。"]],
            },
            {
                "instruction": "说说缺点。",
                "input": "限五十字。",
                "output": "怕水。",
                "history": [["纸是什么？", "书写材料。"], ["优点呢？", "轻。"]],
                "system": "简短回答。",
            },
            {"instruction": "写一个谜语，先不给谜底。", "output": "", "history": []},
        ],
        [
            Made("列出三种水果。", "苹果、梨、桃。"),
            Made("改成反问句。", "这件事难道不重要吗？", {"input": "这件事很重要。"}),
            Made(
                "那第二大的呢？",
                "北冰洋之外，最小的是印度洋的一半。",
                {"input": "用户：最大的洋是哪个？\n\n助手：太平洋。"},
            ),
            Made(
                "说说缺点。",
                "怕水。",
                {
                    "input": "系统：简短回答。\n\n用户：纸是什么？\n\n助手：书写材料。\n\n"
                    "用户：优点呢？\n\n助手：轻。\n\n限五十字。"
                },
            ),
            Made("写一个谜语，先不给谜底。", ""),
        ],
    ),
    "sharegpt": Golden(
        [
            {"conversations": [{"from": "human", "value": "海水为什么咸？"}, {"from": "gpt", "value": "溶有盐。"}]},
            {
                "conversations": [
                    {"from": "system", "value": "你是老师。"},
                    {"from": "human", "value": "雪是什么？"},
                    {"from": "gpt", "value": "冰晶。"},
                ]
            },
            {
                "conversations": [
                    {"from": "human", "value": "背一首诗。"},
                    {"from": "gpt", "value": "好，哪个朝代？"},
                    {"from": "human", "value": "唐代。"},
                    {"from": "gpt", "value": "那就背《静夜思》。"},
                ]
            },
            {"id": "s4", "conversations": [{"from": "user", "value": "在吗？"}]},
            {"conversations": [{"from": "human", "value": "开灯"}, {"from": "function_call", "value": "{}"}]},
        ],
        [
            Made("海水为什么咸？", "溶有盐。", {"input": ""}),
            Made("雪是什么？", "冰晶。", {"input": "系统：你是老师。"}),
            Made(
                "唐代。",
                "那就背《静夜思》。",
                {"input": "用户：背一首诗。\n\n助手：好，哪个朝代？", "facts": {"turns": 4}},
            ),
            Made("在吗？", "", {"external_id": "s4"}),
            Made("tool_turn", "/conversations/1"),
        ],
    ),
    "messages": Golden(
        [
            {"messages": [{"role": "user", "content": "玻璃怎么做？"}, {"role": "assistant", "content": "烧砂子。"}]},
            {
                "messages": [
                    {"role": "system", "content": "只用一句话。"},
                    {"role": "user", "content": "铁锈是什么？"},
                    {"role": "assistant", "content": "氧化铁。"},
                ]
            },
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "看题："}, {"type": "text", "text": "一加一？"}],
                    },
                    {"role": "assistant", "content": "二。"},
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
                    {"role": "assistant", "content": "猫。"},
                ]
            },
            {"messages": [{"role": "assistant", "content": "你好。"}, {"role": "user", "content": "你好。"}]},
        ],
        [
            Made("玻璃怎么做？", "烧砂子。"),
            Made("铁锈是什么？", "氧化铁。", {"input": "系统：只用一句话。"}),
            Made("看题：\n一加一？", "二。"),
            Made("not_only_text", "/messages/0/content/0"),
            Made("turn_order", "/messages/0"),
        ],
    ),
    "answers": Golden(
        [
            _answer(1, "<p>先<b>拔掉电源</b>。</p><p>再打电话。</p>", created_time=1_600_000_000),
            _answer(
                2, "<h2>方法</h2><ol><li>晾干</li><li>再试</li></ol>", "<p>手机掉水里了。</p>", author={"name": "甲"}
            ),
            _answer(
                3,
                '<p>公式<img eeimg="1" alt="a+b">成立。<sup data-draft-type="reference">[1]</sup></p>',
                topics=[{"name": "数学"}],
            ),
            _answer(
                4, '<blockquote>引文</blockquote><figure><img src="x"></figure><p>看法<br>两行</p>', comment_count=7
            ),
            _answer(5, "<figure><img src='x'></figure>"),
        ],
        [
            Made(
                "第1个问题怎么办？",
                "先**拔掉电源**。\n\n再打电话。",
                {
                    "metadata": "qid:1, aid:10",
                    "external_id": "10",
                    "facts": {"title": "第1个问题怎么办？", "votes": 100, "created_at": "2020-09-13T12:26:40+00:00"},
                },
            ),
            Made("第2个问题怎么办？\n手机掉水里了。", "## 方法\n\n1. 晾干\n2. 再试"),
            Made("第3个问题怎么办？", "公式$a+b$成立。", {"metadata": "qid:3, aid:30, tag:['数学']"}),
            Made("第4个问题怎么办？", "> 引文\n\n看法\n两行"),
            Made("empty", "/content"),
        ],
    ),
    "answer-rows": Golden(
        [
            {
                "INSTRUCTION": "蜂蜜会坏吗？",
                "RESPONSE": "密封好很难坏。",
                "SOURCE": "s",
                "METADATA": '{"question_id": 11.0, "answer_id": 22.0, "upvotes": "赞同 1.2 万"}',
            },
            {
                "INSTRUCTION": "猫为什么舔毛？",
                "RESPONSE": "清洁。",
                "METADATA": '{"question_id": 1, "answer_id": 3, "upvotes": "赞同 85", "url": "https://例.cn/3"}',
            },
            {
                "INSTRUCTION": "为什么有雾？\n早上特别多。",
                "RESPONSE": "<p>地面冷却。</p>",
                "METADATA": '{"upvotes": "赞同"}',
            },
            {"INSTRUCTION": "墨水是什么？", "RESPONSE": "颜料和水。", "METADATA": "手抄本"},
            {"INSTRUCTION": "蜡烛怎么做？", "RESPONSE": "", "METADATA": ""},
        ],
        [
            Made(
                "蜂蜜会坏吗？",
                "密封好很难坏。",
                {"metadata": "qid:11, aid:22", "external_id": "22", "facts": {"title": "蜂蜜会坏吗？", "votes": 12000}},
            ),
            Made(
                "猫为什么舔毛？",
                "清洁。",
                {"facts": {"title": "猫为什么舔毛？", "votes": 85, "address": "https://例.cn/3"}},
            ),
            Made("为什么有雾？\n早上特别多。", "地面冷却。", {"facts": {"title": "为什么有雾？"}}),
            Made("墨水是什么？", "颜料和水。", {"metadata": "手抄本"}),
            Made("蜡烛怎么做？", ""),
        ],
    ),
    "coig-exam": Golden(
        [
            {
                "textbox_q_instruction": "选出正确的一项。",
                "textbox_q_context": "",
                "textbox_question": "水的沸点是 A．50 度 B．100 度",
                "textbox_answer": "B",
                "textbox_answer_analysis": "标准大气压下为 100 度。",
            },
            {
                "textbox_q_instruction": "阅读材料回答。",
                "textbox_q_context": "山下有一口井。",
                "textbox_question": "井在哪里？",
                "textbox_answer": "山下",
                "textbox_answer_analysis": "",
            },
            {
                "textbox_q_instruction": "",
                "textbox_q_context": "",
                "textbox_question": "3．选出偶数（ ） A.1 B.2 C.4",
                "textbox_answer": "BC",
                "textbox_answer_analysis": "能被二整除。故选BC。",
            },
            {"textbox_question": "解释“朝三暮四”。", "textbox_answer": "反复无常。"},
            {"textbox_question": " ", "textbox_answer": "A"},
        ],
        [
            Made(
                "选出正确的一项。\n水的沸点是\nA. 50 度\nB. 100 度",
                "标准大气压下为 100 度。\n\n答案：B",
                {"more_minor": ("单项选择题",)},
            ),
            Made("阅读材料回答。\n山下有一口井。\n井在哪里？", "答案：山下", {"more_minor": ()}),
            Made("选出偶数（ ）\nA. 1\nB. 2\nC. 4", "能被二整除。\n\n答案：BC", {"more_minor": ("多项选择题",)}),
            Made("解释“朝三暮四”。", "答案：反复无常。"),
            Made("empty", "/textbox_question"),
        ],
    ),
    "options": Golden(
        [
            {
                "passage": None,
                "question": "下列哪项是金属?",
                "options": ["(A)木", "(B)铁", "(C)布"],
                "label": "B",
                "answer": None,
            },
            {"passage": "甲比乙高，乙比丙高。", "question": "谁最高?", "options": ["甲", "乙", "丙"], "label": ["A"]},
            {
                "question": "哪些会飞?",
                "options": ["(A)燕子", "(B)蜜蜂", "(C)鱼"],
                "label": ["A", "B"],
                "other": {"solution": "鱼不会飞。"},
            },
            {"question": "没有定论的题?", "options": ["(A)是", "(B)否"], "label": []},
            {"question": "错的答案?", "options": ["(A)是", "(B)否"], "label": "E"},
        ],
        [
            Made("下列哪项是金属?\nA. 木\nB. 铁\nC. 布", "答案：B", {"more_minor": ("单项选择题",)}),
            Made("甲比乙高，乙比丙高。\n谁最高?\nA. 甲\nB. 乙\nC. 丙", "答案：A"),
            Made("哪些会飞?\nA. 燕子\nB. 蜜蜂\nC. 鱼", "鱼不会飞。\n\n答案：AB", {"more_minor": ("多项选择题",)}),
            Made("没有定论的题?\nA. 是\nB. 否", "", {"more_minor": ()}),
            Made("no_such_option", "/label"),
        ],
    ),
    "choices": Golden(
        "id,question,A,B,C,D,answer,explanation\n"
        "1,一年有几季？,二,三,四,五,C,\n"
        '2,"下面哪个是颜色？\n（单选）",红,跑,高,三,A,跑是动作。\n'
        "3,未公布答案的题？,甲,乙,丙,丁,,\n"
        "4,只有两个选项？,有,无,,,B,\n"
        "5,答案写错的题？,甲,乙,,,D,\n",
        [
            Made("一年有几季？\nA. 二\nB. 三\nC. 四\nD. 五", "答案：C", {"external_id": "1", "line": 2}),
            Made("下面哪个是颜色？\n（单选）\nA. 红\nB. 跑\nC. 高\nD. 三", "跑是动作。\n\n答案：A", {"line": 4}),
            Made("未公布答案的题？\nA. 甲\nB. 乙\nC. 丙\nD. 丁", "", {"more_minor": ()}),
            Made("只有两个选项？\nA. 有\nB. 无", "答案：B"),
            Made("no_such_option", "/answer"),
        ],
        "csv",
    ),
    "exam": Golden(
        """{
  "keywords": "自拟题",
  "groups": [1, 2],
  "example": [
    {"year": "2031", "category": "（甲卷）",
     "question": "1．（4分）下列说法正确的是\\n（　　）\\nA．春天之后\\n是冬天  B．春天之后是夏\\n天\\n",
     "answer": ["B"], "analysis": "四季依次为春夏秋\\n冬。\\n故选：B。\\n", "index": 0, "score": 4},
    {"year": "2031",
     "question": "15.2030 年，某村种树三年，说明\\nA.树会长高B.树会变矮C.种了三\\n年D.没有树", "answer": ["A", "C"],
     "analysis": "①树会长高；\\n②种了三年。", "index": 1, "score": 6},
    {"question": "7. 简述水的三态。", "answer": ["固态、液态、气态。"], "analysis": "按温度说明。", "score": 5},
    {"question": "（2）圆周率约为 3.14 还是 3.41？", "answer": "3.14", "analysis": ""},
    {"question": "A. 甲 B. 乙", "answer": [], "analysis": "略。", "score": "2分"}
  ]
}
""",
        [
            Made(
                "下列说法正确的是（　　）\nA. 春天之后是冬天\nB. 春天之后是夏天",
                "四季依次为春夏秋冬。\n\n答案：B",
                {
                    "metadata": "year:2031, category:甲卷, score:4",
                    "facts": {"year": 2031, "score": 4, "category": "甲卷"},
                    "more_minor": ("单项选择题",),
                },
            ),
            Made(
                "2030 年，某村种树三年，说明\nA. 树会长高\nB. 树会变矮\nC. 种了三年\nD. 没有树",
                "①树会长高；\n②种了三年。\n\n答案：AC",
                {"more_minor": ("多项选择题",)},
            ),
            Made("简述水的三态。", "按温度说明。\n\n答案：固态、液态、气态。"),
            Made("圆周率约为 3.14 还是 3.41？", "答案：3.14"),
            Made("A. 甲\nB. 乙", "略。", {"metadata": "score:2"}),
        ],
        "object",
    ),
    "blocks": Golden(
        "\n"
        "b\n1.盒子里有红球和白球。\n摸到的最多是哪两种颜色？\nA.红和黑\nB.红和白\nC.白和黑\nD.黑和黄\n"
        "\n"
        "c\n2.甲、乙、丙三人排队，丙在最后。\n谁排第三？\nA 甲\nB 乙\nC 丙\n"
        "\n\n"
        "d\n如果下雨就不出门。\n3．今天出了门，说明\nA．下雨了\nC．没带伞\nB．忘了天气\nD。没下雨\n"
        "\n"
        "甲\n不是这样的一段。\n第二行\n"
        "\n"
        "e\n选项不够。\n哪一个？\nA.一\nB.二",
        [
            Made(
                "盒子里有红球和白球。\n摸到的最多是哪两种颜色？\nA. 红和黑\nB. 红和白\nC. 白和黑\nD. 黑和黄", "答案：B"
            ),
            Made("甲、乙、丙三人排队，丙在最后。\n谁排第三？\nA. 甲\nB. 乙\nC. 丙", "答案：C", {"line": 15}),
            Made("如果下雨就不出门。\n今天出了门，说明\nA. 下雨了\nB. 忘了天气\nC. 没带伞\nD. 没下雨", "答案：D"),
            Made("not_a_block", ""),
            Made("no_such_option", "/lines/0"),
        ],
        "blocks",
    ),
    "parallel": Golden(
        "古文：吾家有竹。\n现代文：我家有竹子。\n\n"
        "现代文：船离开了岸。\n古文：舟去岸。\n\n"
        "古文: 夜深月明。\n译文: 夜深了，月亮很亮。\n\n"
        "古文：有一行没有译文。\n\n"
        "原文：月小\n现代文：月很小",
        [
            Made("请把下面的文言文翻译成现代文：\n吾家有竹。", "我家有竹子。"),
            Made("请把下面的文言文翻译成现代文：\n舟去岸。", "船离开了岸。"),
            Made("请把下面的文言文翻译成现代文：\n夜深月明。", "夜深了，月亮很亮。"),
            Made("not_a_block", ""),
            Made("请把下面的现代文翻译成文言文：\n月很小", "月小"),
        ],
        "blocks",
    ),
    "qa": Golden(
        "department\ttitle\task\tanswer\n"
        "骨科\t脚扭了怎么办？\t昨天下楼扭了脚。\t先冷敷，再休息。\n"
        "骨科\t脚扭了\t脚扭了还能跑步吗？\t不能。\n"
        "内科\t咳嗽一周\t无\t建议就诊。\n"
        '儿科\t\t"孩子发热，\n需要去医院吗？"\t"看精神，\n也看体温。"\n'
        "儿科\t\t\t没有问题的回答\n",
        [
            Made("脚扭了怎么办？\n昨天下楼扭了脚。", "先冷敷，再休息。", {"more_domain": ("骨科",)}),
            Made("脚扭了还能跑步吗？", "不能。"),
            Made("咳嗽一周", "建议就诊。", {"facts": {"title": "咳嗽一周", "department": "内科"}}),
            Made("孩子发热，\n需要去医院吗？", "看精神，\n也看体温。"),
            Made("empty", "/ask"),
        ],
        "tsv",
    ),
    "poems": Golden(
        [
            {
                "author": "佚名",
                "title": "窗前",
                "paragraphs": ["窗外一枝梅，", "月下几回开。", "不问人来去，", "清香自入怀。"],
                "id": "p1",
            },
            {"author": "佚名", "title": "《江上》", "paragraphs": ["江上风来。江边客去。"]},
            {"author": "佚名", "title": "残句", "paragraphs": ["独坐听雨声。"]},
            {"author": "", "title": "三行", "paragraphs": ["一山。", "一水。", "一舟。"], "tags": ["山水"]},
            {"author": "佚名", "title": "空", "paragraphs": []},
        ],
        [
            Made(
                "以下是佚名《窗前》的上半首，求下半首：\n窗外一枝梅，\n月下几回开。",
                "不问人来去，\n清香自入怀。",
                {"metadata": "title:窗前, author:佚名", "external_id": "p1"},
            ),
            Made("以下是佚名《江上》的上半首，求下半首：\n江上风来。", "江边客去。"),
            Made("求佚名《残句》全文。", "独坐听雨声。"),
            Made("以下是《三行》的上半首，求下半首：\n一山。\n一水。", "一舟。"),
            Made("empty", "/paragraphs"),
        ],
    ),
    "threads": Golden(
        [
            {"title": "影子为什么不会累", "abs": None, "href": "/p/123?x=1", "lz": "甲", "n_reply": "18"},
            {"title": "钟停了，时间去哪了", "abs": "想了一天。", "href": "/p/124", "lz": "乙", "n_reply": "2"},
            {"title": "把雨存起来", "abs": "把雨存起来", "href": "/p/125", "lz": "丙", "n_reply": "0"},
            {"title": "半句话", "abs": "半句话，后面还有半句。", "href": "/x", "lz": "丁", "n_reply": "1万"},
            {"title": " ", "abs": "没有标题", "href": "/p/126", "lz": "戊", "n_reply": "3"},
        ],
        [
            Made(
                "影子为什么不会累",
                "",
                {
                    "metadata": "tid:123, replies:18",
                    "external_id": "123",
                    "facts": {"title": "影子为什么不会累", "replies": 18, "author": "甲", "address": "/p/123?x=1"},
                },
            ),
            Made("钟停了，时间去哪了\n想了一天。", ""),
            Made("把雨存起来", ""),
            Made("半句话，后面还有半句。", "", {"metadata": "replies:10000", "external_id": None}),
            Made("empty", "/title"),
        ],
    ),
    "prompts": Golden(
        [
            {"id_": 1, "prompt": "邻居太吵怎么办？", "domain_zh": "邻里", "domain_en": "neighbours"},
            {"prompt": "要不要给孩子手机？"},
            {"question": "可以不写作业吗？", "category": "教育"},
            {"prompt": "已经有回答的问题？", "answer": "无"},
            {"prompt": "  "},
        ],
        [
            Made("邻居太吵怎么办？", "", {"external_id": "1", "more_domain": ("邻里", "neighbours")}),
            Made("要不要给孩子手机？", "", {"more_domain": ()}),
            Made("可以不写作业吗？", "", {"more_domain": ("教育",)}),
            Made("已经有回答的问题？", "无"),
            Made("empty", "/prompt"),
        ],
    ),
    "articles": Golden(
        [
            {"title": "如何擦玻璃", "body": "先湿擦，再干擦。"},
            {"title": "天空为什么是蓝的？", "html": "<h2>原因</h2><p>空气<b>散射</b>蓝光。</p><script>x()</script>"},
            {"title": "怎样做豆浆", "sections": {"备料": "黄豆一碗。", "步骤": "<ul><li>泡</li><li>磨</li></ul>"}},
            {"title": "豆浆", "body": "一种饮料。", "url": "https://例.cn/豆浆", "votes": "35"},
            {"title": "", "body": "没有标题的正文"},
        ],
        [
            Made("如何擦玻璃", "先湿擦，再干擦。"),
            Made("天空为什么是蓝的？", "## 原因\n\n空气**散射**蓝光。"),
            Made("怎样做豆浆", "## 备料\n\n黄豆一碗。\n\n## 步骤\n\n- 泡\n- 磨"),
            Made(
                "", "", {"facts": {"title": "豆浆", "body": "一种饮料。", "address": "https://例.cn/豆浆", "votes": 35}}
            ),
            Made("empty", "/title"),
        ],
    ),
    "entries": Golden(
        [
            {"rank": "1", "name": "山中一日", "score": "9.1", "link": "https://例.cn/1", "id": "m1"},
            {"name": "《河流》", "score": 8, "year": "1999", "region": "北方", "is_new": True, "cast": ["甲"]},
            {"书名": "灯下", "作者": "佚名", "页数": 120},
            {"title": "标签很多", "tags": ["甲", {"name": "乙"}, 3]},
            {"title": "名字太长的编号", "id": "x" * 300},
        ],
        [
            Made(
                "",
                "",
                {
                    "external_id": "m1",
                    "facts": {"title": "山中一日", "rank": 1, "score": 9.1, "address": "https://例.cn/1", "id": "m1"},
                },
            ),
            Made("", "", {"facts": {"title": "《河流》", "score": 8, "year": 1999, "region": "北方"}}),
            Made("", "", {"facts": {"title": "灯下", "author": "佚名", "页数": "120"}}),
            Made("", "", {"facts": {"title": "标签很多", "tags": ("甲", "乙")}}),
            Made("field_too_long", "/id"),
        ],
    ),
}
