"""Questions of exams, in five shapes."""

from tests.ingest.golden.made import Golden, Made

EXAMS: dict[str, Golden] = {
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
}
