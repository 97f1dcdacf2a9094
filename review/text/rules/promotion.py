"""Promotion, and what a page leaves behind in a text that was taken from it."""

from review.text.rules.shape import (
    BEGIN,
    DIGIT,
    SPACES,
    Family,
    Kind,
    Rule,
    Span,
    Texts,
    answer,
    matching,
    question,
    replacing,
    words,
)

_ADVERTISING = (
    *(
        "公众号",
        "微信号",
        "加微信",
        "加我微信",
        "扫码领",
        "扫码关注",
        "扫码加",
        "扫码进",
        "扫码添加",
        "扫描二维码",
        "长按识别",
        "加群",
        "粉丝群",
        "私信我",
    ),
    *(
        "领取优惠券",
        "领优惠券",
        "淘口令",
        "抽奖活动",
        "参与抽奖",
        "转发抽奖",
        "点击头像",
        "关注我",
        "记得关注",
        "求关注",
        "关注一下我",
    ),
    *("点赞关注", "点赞收藏", "收藏关注", "收藏点赞", "一键三连", "戳链接", "点击链接", "链接在评论区", "评论区链接"),
    *(
        "点击报名",
        "点击去报名",
        "下单链接",
        "限时优惠",
        "免费领取",
        "点个关注",
        "点点关注",
        "点关注",
        "加关注",
        "关注我们",
        "感谢关注",
        "关注起来",
        "求个关注",
        "点赞➕关注",
        "点赞+关注",
        "点赞+收藏",
        "点赞和收藏",
        "点赞加关注",
        "点个赞",
        "双击屏幕",
    ),
    *(
        "记得收藏",
        "收藏起来",
        "给我收藏",
        "先收藏",
        "收藏马住",
        "收藏噢",
        "收藏哦",
        "收藏喔",
        "收藏一波",
        "优惠力度",
        "关注点上",
    ),
    *("多点赞", "求点赞", "点赞支持", "点赞评论", "点赞、收藏", "点赞，收藏", "点赞➕收藏", "点赞加收藏", "收藏➕关注"),
    *("关注本品牌", "关注本账号", "关注本小红书", "关注本企业", "关注本店", "上方报名", "正品哦"),
    *("中奖规则", "开奖时间", "奖品数量", "参与条件", "跨店满", "优惠券满", "欢迎咨询", "咨询交流", "欢迎私信"),
    *("拼手速", "开业优惠", "旗舰店上线", "关-注"),
)
_ONLY_AS = {
    "求关注": "求(?<!寻求)关注",
    "关注我": "关注(?<!不断关注)我(?!国|比较|[很挺]?久)",
    "私信我": "私(?<![都们友人别在来不]私)信我(?!了)",
    "公众号": "|".join(
        [
            *(rf"{said}[^。！？\n]{{0,6}}公众号" for said in ("关注", "订阅", "搜索?", "添加", "回复", "同名", "本")),
            *(rf"我{said}[^。！？\n]{{0,6}}公众号" for said in ("的?", "们的?")),
            r"公众号(?=[:：“\"「【《]|名称|回复|搜索|后台)",
        ]
    ),
}
"""Words that are also said of other things: what must stand around them."""

_PROMOTION = Rule(
    id="promotion",
    kind=Kind.FLAG,
    english="Promotion: accounts to follow, codes to scan, links to buy by.",
    chinese="有推广内容：求关注、公众号、扫码、优惠券等。",
    find=matching("|".join(_ONLY_AS.get(word, word) for word in sorted(_ADVERTISING, key=len, reverse=True))),
    signs=words(*_ADVERTISING),
    caught=(
        answer("更多内容请关注公众号“示例”。"),
        answer("喜欢就点赞收藏吧！"),
        answer("扫码领取资料"),
        answer("喜欢的话记得收藏噢"),
        answer("整理不易多点赞哟"),
        answer("数据包私信我"),
    ),
    passed=(
        answer("大家最关注的是价格。"),
        answer("好多朋友私信我问这件事。"),
        answer("小程序和微信公众号都要对接。"),
        answer("关注我比较久的朋友都知道。"),
        answer("他把书收藏在家里。"),
        answer("博物馆可以收藏这些画。"),
        answer("众人号召力"),
    ),
)

_BYLINE = r"\s{0,4}(?:编辑于|发布于|发表于|来源|作者|编辑|链接)\s?[:：\d]"
_BEHIND_A_SENTENCE = "|".join(rf"(?<=[。！？”」）)]\s{{{blanks}}}来源)" for blanks in range(5))
_LEFTOVERS = (
    r"未经(?:作者)?(?:许可|授权)[^。\n]{0,12}(?:禁止|谢绝|请勿|严禁|不得)转载",
    *(f"{forbidden}转载" for forbidden in ("禁止", "谢绝", "请勿", "严禁", "不得")),
    r"转载(?:请|自|于|原创|声明|[:：])|侵权?[删必]|著作权归(?:原?作者|本|其|原)|版权归(?:原?作者|本|其|原)|版权所有",
    *(f"{text}(?:链接|地址|来自|来源|首发|转自)" for text in ("原文", "本文")),
    rf"责任编辑|来源(?:{_BEHIND_A_SENTENCE})\s?[:：]|\n{_BYLINE}",
    r"阅读全文|展开全文|查看更多|点击查看|点击阅读|点击图片(?!时)|点击下方|点击下载|显示全部",
    r"文章(?:摘自|选自|节选自|转自|来源)|将做法保存到手机|Click (?:here|to read)|click (?:here|to read)|Read more",
)
_in_text = matching("|".join(_LEFTOVERS))
_at_the_beginning = matching(rf"\A(?!\s{{0,3}}\n){_BYLINE}")


def _find_leftovers(texts: Texts) -> list[Span]:
    return [*_at_the_beginning(texts), *_in_text(texts)]


_SOURCE_LEFTOVERS = Rule(
    id="source_leftovers",
    kind=Kind.FLAG,
    english="Leftovers of the page that the text was taken from: reprint notes, bylines, “click to read”.",
    chinese="残留来源页面的内容：转载声明、作者编辑署名、“点击阅读”等。",
    find=_find_leftovers,
    signs=(
        *words("转载", "侵删", "侵权删", "侵必", "侵权必", "著作权归", "版权归", "版权所有", "原文链接", "原文地址"),
        *words(
            "原文来自", "原文来源", "原文首发", "原文转自", "本文链接", "本文地址", "本文来自", "本文来源", "本文首发"
        ),
        *words(
            "本文转自", "责任编辑", "阅读全文", "展开全文", "查看更多", "点击查看", "点击阅读", "点击图片", "点击下方"
        ),
        *words(
            "点击下载", "显示全部", "文章摘自", "文章选自", "文章节选自", "文章转自", "文章来源", "将做法保存到手机"
        ),
        rf"(?:编辑于?|[布表]于|[源者]|链接)[{SPACES}]?[:：{DIGIT}]",
        "[Cc]lick (?:here|to read)|Read more",
    ),
    caught=(
        answer("本文首发于某网站，未经许可禁止转载。"),
        answer("正文。\n编辑于 2021-05-01"),
        answer("作者：张三\n正文"),
        answer("他这样回答。来源：某某新闻"),
        answer("文章摘自《育儿手册》"),
    ),
    passed=(
        answer("这位作者写了三本书。"),
        answer("文章的来源很多。"),
        answer("收入来源：工资和稿费"),
        answer("他每天阅读一小时。"),
    ),
)

_MARKS = r"\[(?:话题|品牌|商品|店铺|地点|时刻|用户|笔记)\](?=#)|\[[\u4e00-\u9fff]{1,6}[RH]\]|#\([\u4e00-\u9fff]{1,4}\)"
_PLATFORM_MARKS = Rule(
    id="platform_marks",
    kind=Kind.FLAG,
    english="Marks of the platform that the text was taken from: codes of emoticons, tags of topics.",
    chinese="残留来源平台的标记：表情代码、话题标签等，例如“[偷笑R]”“[话题]#”。",
    find=matching(_MARKS),
    signs=(r"\]#|[RH]\]", "#\\([\u4e00-\u9fff]"),
    caught=(answer("真的很好吃[偷笑R]"), answer("#早餐[话题]# #面包[话题]#"), question("有人知道吗？#(狂汗)")),
    passed=(answer("数组 a[0] 和 b[R]"), answer("他[张三]说过"), answer("#早餐# 与 #(1)")),
    repair=replacing(_MARKS, ""),
)

_URL = r"(?i:https?://|(?<![A-Za-z0-9_.])www\.)[^\s\u3000-\u303f\u4e00-\u9fff\uff00-\uffef<>\"'`)\]}]+"
_WEB_ADDRESS = Rule(
    id="web_address",
    kind=Kind.FLAG,
    english="The address of a web page.",
    chinese="有网址。",
    find=matching(_URL),
    signs=("://", r"[wW]{3}\."),
    caught=(answer("详见 https://example.com/a?b=1。"), answer("打开www.example.com即可")),
    passed=(answer("http 协议和 https 协议"), answer("// 注释：这里")),
)

_IMAGE = (
    r"!\[[^\]\n]{0,200}\]\([^)\n]{0,2000}\)|<img\b\s[^>]{0,200}src=[\"']https?:[^>]{0,500}>",
    *(rf"{opening}(?:图片|图|配图|表情|动图|视频)\d{{0,3}}[\]】)）]" for opening in (r"\[", "【", r"\(", "（")),
    *(
        rf"{told}[下上左右]?面?图(?:片?所示|片?中|\s?\d{{1,2}}|[一二三四五六七八九十])?(?![书腾片形、])"
        for told in ("如", "见", "详见", "参见", "看")
    ),
    *(rf"{side}(?<!一.)图(?:所示|中|是|为)?(?!片)" for side in "下上左右"),
    r"图(?<![地版导题意蓝贴].) ?\d{1,2}(?!\d|\.\d)|在图片?[里中上]|封面图",
    r"图(?<![^\s（(，。、！？!~～：:].)片?[中里]|图中同款|图(?<=[（(].)示[）)]|图(?<![^\n].)示[：:]",
    r"P(?<![^\n].)\d{1,2}(?=[是为：:、]?\s?[\u4e00-\u9fff])",
    r"图(?<![企版盗地意试蓝].)[一二三四五六七八九](?![个些波改下起般样直定时一])|图片[左右][上下]角",
    r"最后一?张图|第[一二三四五六七八九]一?张图|前[两三四五六几]一?张图",
)
_IMAGE_REFERENCE = Rule(
    id="image_reference",
    kind=Kind.FLAG,
    english="The text refers to an image that is not there.",
    chinese="文中提到并不存在的图片，例如“如图所示”“[图片]”。",
    find=matching("|".join(_IMAGE)),
    signs=(
        r"!\[|<img",
        r"(?:[\[【(（如见看下上左右面动配张在]|封面|[\[【(（].)[图频情]",
        rf"[图频情](?:[{SPACES}]?{DIGIT}|[中里上一二三四五六七八九十]|片[左右中里]|示[：:])",
        f"[\n{BEGIN}]P{DIGIT}{{1,2}}[是为：:、]?[{SPACES}]?[\u4e00-\u9fff]",
    ),
    caught=(
        answer("结构如图所示。"),
        answer("效果见下图"),
        answer("![示例](a.png)"),
        answer("先看图2️⃣的样子"),
        answer("先加热[图片]再搅拌"),
        answer("日常饮食（图中有整理好的）"),
        answer("（图四为图解。）"),
        answer("很好看。图中制服是百搭的"),
        answer("最后一张图是使用方法"),
        answer("图一是正面，图二是背面"),
        answer("步骤都放在图里啦"),
        answer("理由写在图片上了"),
        answer("将获得图中同款行李箱一个"),
        answer("新出的油画棒(图示)"),
        answer("好用的都在这里。\nP1是原相机里的我\nP2 新宠防晒"),
        answer("图片里我烤盘上放的是网格烤垫"),
    ),
    passed=(
        answer("他去图书馆看书。"),
        answer("试图解释原因"),
        answer("地图和图纸"),
        answer("看图书是好习惯"),
        answer("提供图片和音频，如图片、视频"),
        answer("地图2 已更新"),
        answer("地图中的河流"),
        answer("他企图一一说服"),
        answer("这张图一下子就看懂了"),
        answer("贴图一个就够"),
        answer("通过看图、听音来记单词"),
        answer("显示图片里的文字要用识别程序"),
        answer("代理P2去连接网络\nP2P 平台\nP5.js 教程"),
    ),
)

FAMILY = Family(
    "promotion",
    "Promotion and leftovers",
    "推广与来源残留",
    (
        _PROMOTION,
        _SOURCE_LEFTOVERS,
        _PLATFORM_MARKS,
        _WEB_ADDRESS,
        _IMAGE_REFERENCE,
        _PLATFORM_MARKS.repairing(
            "remove_platform_marks",
            "Removes codes of emoticons and the marks of topics that a platform writes.",
            "删去平台的表情代码和话题标记。",
        ),
        _PROMOTION.dropping("drop_promotion", "Drops records with promotion.", "丢弃含有推广内容的记录。"),
        _IMAGE_REFERENCE.dropping(
            "drop_image_reference",
            "Drops records that refer to an image that is not there.",
            "丢弃提到不存在的图片的记录。",
        ),
    ),
)
