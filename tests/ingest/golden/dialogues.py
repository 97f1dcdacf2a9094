"""Questions with answers, alone and in conversations."""

from typing import Any

from tests.ingest.golden.made import Golden, Made


def _answer(number: int, content: str, detail: str = "", **others: Any) -> dict[str, Any]:
    question = {"id": str(number), "title": f"第{number}个问题怎么办？", "detail": detail}
    return {"id": str(number * 10), "question": question, "content": content, "voteup_count": number * 100} | others


DIALOGUES: dict[str, Golden] = {
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
}
