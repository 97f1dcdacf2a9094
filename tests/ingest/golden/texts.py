"""Texts of which questions are made."""

from tests.ingest.golden.made import Golden, Made

TEXTS: dict[str, Golden] = {
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
            Made("如何擦玻璃", "先湿擦，再干擦。", {"metadata": "暂无元数据信息"}),
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
                    "metadata": "score:9.1, rank:1, url:https://例.cn/1",
                    "facts": {"title": "山中一日", "rank": 1, "score": 9.1, "address": "https://例.cn/1", "id": "m1"},
                },
            ),
            Made(
                "",
                "",
                {
                    "metadata": "year:1999, score:8",
                    "facts": {"title": "《河流》", "score": 8, "year": 1999, "region": "北方"},
                },
            ),
            Made("", "", {"metadata": "author:佚名", "facts": {"title": "灯下", "author": "佚名", "页数": "120"}}),
            Made("", "", {"metadata": "暂无元数据信息", "facts": {"title": "标签很多", "tags": ("甲", "乙")}}),
            Made("field_too_long", "/id"),
        ],
    ),
}
