"""Personal data: what tells who somebody is, or how to reach them."""

import re
from datetime import date

from review.text.rules.shape import DIGIT, FIELDS, SPACES, Family, Kind, Rule, Span, Texts, answer, matching

_MOBILE = r"(?<![0-9A-Za-z_./=+-])(?:(?:\+|00)?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?![\d_]|\.[A-Za-z])"
_LANDLINE = r"(?<![0-9A-Za-z_./=+-])(?:[（(]0\d{2,3}[)）]|0\d{2,3}[-－— ])[2-9]\d{6,7}(?![\d-])"

_PHONE_NUMBER = Rule(
    id="phone_number",
    kind=Kind.FLAG,
    english="A telephone number.",
    chinese="有电话号码。",
    find=matching(f"{_MOBILE}|{_LANDLINE}"),
    signs=(
        rf"1[3-9]{DIGIT}[ -]?{DIGIT}{{4}}[ -]?{DIGIT}{{4}}",
        rf"0{DIGIT}{{2,3}}[)）－— -][2-9]{DIGIT}{{6}}",
    ),
    caught=(answer("请拨打13812345678。"), answer("手机：+86 138 1234 5678"), answer("电话（010）66001234")),
    passed=(
        answer("编号 2013812345678 的快递"),
        answer("19998321312.jpg"),
        answer("1949年到1976年"),
        answer("圆周率3.13812345678"),
    ),
)

_LOCAL = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,5}([A-Za-z]{2,12})(?![A-Za-z0-9])")
_REACH = 64
_NO_DOMAINS = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "vue", "py", "java", "html"})


def _find_addresses(texts: Texts) -> list[Span]:
    return [Span(name, *place) for name in FIELDS for place in _addresses(getattr(texts, name))]


def _addresses(text: str) -> list[tuple[int, int]]:
    found, at = [], text.find("@")
    while at >= 0:
        local = _LOCAL.search(text[max(0, at - _REACH) : at])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and domain[1].lower() not in _NO_DOMAINS and not local[0].endswith("."):
            found.append((at - len(local[0]), domain.end()))
        at = text.find("@", at + 1)
    return found


_EMAIL_ADDRESS = Rule(
    id="email_address",
    kind=Kind.FLAG,
    english="An e-mail address.",
    chinese="有电子邮箱地址。",
    find=_find_addresses,
    signs=(r"[A-Za-z0-9_%+-]@[A-Za-z0-9-]+\.",),
    caught=(answer("请发到zhang.san@mail.example.cn。"), answer("邮箱 li-si_88@example.com")),
    passed=(answer("图片 logo@2x.png"), answer("升级到 webpack@5.1.0"), answer("用 @ 符号")),
)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-8]\d{5}(?:19|20)\d{9}[0-9Xx](?![0-9A-Za-z])")


def _find_identities(texts: Texts) -> list[Span]:
    return [
        Span(name, *match.span())
        for name in FIELDS
        for match in _IDENTITY.finditer(getattr(texts, name))
        if _is_identity(match[0])
    ]


def _is_identity(number: str) -> bool:
    """Whether the date in an identity number exists and its last place is the check digit of the others."""
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return _CHECKS[total % 11] == number[17].upper()


_IDENTITY_NUMBER = Rule(
    id="identity_number",
    kind=Kind.FLAG,
    english="An identity card number whose check digit is right.",
    chinese="有校验位正确的身份证号。",
    find=_find_identities,
    signs=(rf"{DIGIT}{{6}}(?:19|20){DIGIT}{{9}}[{DIGIT}Xx]",),
    caught=(answer("身份证号：11010519491231002X。"),),
    passed=(answer("订单号 110105194912310021"), answer("流水号 110105194913310020")),
)

_CODE = (
    "media|import|keyframes|font|charset|include|extend|mixin|click|change|input|select|param|return|type|types|desc|"
    "Override|override|supports|Inject|Prop|Emit|Component|Test|Data|Autowired|Bean"
)
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_.%+/@\\-])@(?=[\w-])"
    r"((?:[\u4e00-\u9fff][\w\u4e00-\u9fff·-]{1,19}?(?=[\s，,。.：:！!？?、；;）)】\]的]|\Z)|[\u4e00-\u9fff][\w·-]{1,9})|"
    rf"(?!(?:{_CODE})\b)[A-Za-z][A-Za-z0-9_-]{{1,29}}(?=\s[\u4e00-\u9fff]|[，。：！？、；]|\s?[:：]\s?[\u4e00-\u9fff]))"
)


def _find_mentions(texts: Texts) -> list[Span]:
    return [Span(name, *match.span()) for name in FIELDS for match in _MENTION.finditer(getattr(texts, name))]


_USER_MENTION = Rule(
    id="user_mention",
    kind=Kind.FLAG,
    english="A user is addressed by name (@name).",
    chinese="点名某个用户（@用户名）。",
    find=_find_mentions,
    signs=(rf"[^A-Za-z0-9_.%+/@\\-]@[^{SPACES}]",),
    caught=(answer("感谢@小河边的风 的回答"), answer("@Zhangsan88 说得对"), answer("同意楼上@李四，补充一点")),
    passed=(
        answer("@media (max-width: 600px)"),
        answer("npm install @vue/cli"),
        answer("发到 a@example.com"),
        answer("@Override 注解"),
    ),
)

_ACCOUNT = (
    r"(?:微信号?|WeChat|wechat|VX|vx|V信|薇信|加V|加v|QQ群?|qq群?|企鹅群?)\s?(?:号|号码|是)?\s?[:：]\s?"
    r"([A-Za-z0-9_-]{5,20})"
)
_MESSENGER = Rule(
    id="messenger_account",
    kind=Kind.FLAG,
    english="The account of a messenger, or the number of a group.",
    chinese="有微信号、QQ 号或群号。",
    find=matching(_ACCOUNT),
    signs=(
        rf"[信Qq企加].{{0,3}}[{SPACES}]?[号是]?码?[{SPACES}]?[:：][{SPACES}]?[A-Za-z0-9_-]{{5}}",
        rf"[eVv][CcXx](?:hat)?[{SPACES}]?[号是]?码?[{SPACES}]?[:：][{SPACES}]?[A-Za-z0-9_-]{{5}}",
    ),
    caught=(answer("加我微信：abc_12345"), answer("QQ群: 123456789")),
    passed=(answer("微信：一种即时通讯工具"), answer("时间：2023-05")),
)

FAMILY = Family(
    "personal",
    "Personal data",
    "个人信息",
    (
        _PHONE_NUMBER,
        _EMAIL_ADDRESS,
        _IDENTITY_NUMBER,
        _USER_MENTION,
        _MESSENGER,
        _IDENTITY_NUMBER.dropping(
            "drop_identity_number", "Drops records with an identity card number.", "丢弃含有身份证号的记录。"
        ),
        _PHONE_NUMBER.dropping(
            "drop_phone_number", "Drops records with a telephone number.", "丢弃含有电话号码的记录。"
        ),
    ),
)
