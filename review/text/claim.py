"""What a file claims of its own copyright, read for what it says: who, under which licence. Never believed unasked."""

import re
from typing import NamedTuple

_NAME = r"[^\s，,。；;：:、（(]{2,20}(?:\s?[·•]\s?[^\s，,。；;：:、（(]{1,20})*"
_BY_WORD = re.compile(
    rf"(?:文章作者|原文作者|原作者|作者|著者|撰文|撰稿|译者|指导医生|版权所有|著作权人|权利人|专家介绍|医生介绍|作者介绍)[：:]\s*({_NAME})"
)
_ABOUT = re.compile(r"^\s*([^\s，,。；;：:]{2,20}?)(?:的)?(?:个人|作者|专家|医生)?简介[：:]", re.MULTILINE)
_PROVIDED = re.compile(r"以上内容由\s*([^\s，,。；;]+?)\s*(?:提供|授权)")
_SIGN = re.compile(
    r"(?:©|\(c\)|copyright)\s*(?:\d{4}(?:\s*[-–]\s*\d{4})?)?\s*(?:by\s+)?([^\n，,。；;.©]{2,60})", re.IGNORECASE
)

_LICENCES: tuple[tuple[str, str], ...] = (
    (r"CC\s*-?\s*BY\s*-?\s*NC\s*-?\s*SA\s*-?\s*3\.0", "CC-BY-NC-SA-3.0"),
    (r"CC\s*-?\s*BY\s*-?\s*NC\s*-?\s*SA(?:\s*-?\s*4\.0)?(?!\s*-?\s*[123])", "CC-BY-NC-SA-4.0"),
    (r"CC\s*-?\s*BY\s*-?\s*NC\s*-?\s*ND(?:\s*-?\s*4\.0)?(?!\s*-?\s*[123])", "CC-BY-NC-ND-4.0"),
    (r"CC\s*-?\s*BY\s*-?\s*NC\s*-?\s*3\.0", "CC-BY-NC-3.0"),
    (r"CC\s*-?\s*BY\s*-?\s*NC(?:\s*-?\s*4\.0)?(?!\s*-?\s*[123A-Z])", "CC-BY-NC-4.0"),
    (r"CC\s*-?\s*BY\s*-?\s*SA\s*-?\s*3\.0", "CC-BY-SA-3.0"),
    (r"CC\s*-?\s*BY\s*-?\s*SA(?:\s*-?\s*4\.0)?(?!\s*-?\s*[123])", "CC-BY-SA-4.0"),
    (r"CC\s*-?\s*BY\s*-?\s*3\.0", "CC-BY-3.0"),
    (r"CC\s*-?\s*BY(?:\s*-?\s*4\.0)?(?!\s*-?\s*[123A-Z])", "CC-BY-4.0"),
    (r"CC\s*-?\s*0", "CC0-1.0"),
    (r"\bApache(?:\s*-?\s*(?:License)?,?\s*(?:Version)?\s*2(?:\.0)?)", "Apache-2.0"),
    (r"\bMIT(?:\s*License|\s*许可)?\b", "MIT"),
    (r"公有领域|公共领域|public\s+domain", "public-domain"),
    (
        r"禁止转载|不得转载|谢绝转载|未经(?:书面)?(?:许可|授权|同意)|保留(?:所有|一切)权利|all\s+rights\s+reserved",
        "restricted",
    ),
    (r"(?:经|已获|获得?)(?:作者|权利人|原作者|版权方)?(?:本人)?(?:授权|许可|同意)", "permission-granted"),
)
_GUESSES = tuple((re.compile(pattern, re.IGNORECASE), licence) for pattern, licence in _LICENCES)


class Claim(NamedTuple):
    """What was understood: the holders, the licence that the words suggest, and who handed the text on."""

    holder: str
    licence: str
    provider: str


def understood(text: str) -> Claim:
    """Return what a copyright text says; what it does not say is empty, and the licence then unknown."""
    names: list[str] = []
    for found in (*_ABOUT.finditer(text), *_BY_WORD.finditer(text)):
        if found[1] not in names:
            names.append(found[1])
    if not names and (sign := _SIGN.search(text)):
        names.append(sign[1].strip())
    licence = next((name for pattern, name in _GUESSES if pattern.search(text)), "unknown")
    provided = _PROVIDED.search(text)
    return Claim("、".join(names)[:500], licence, provided[1] if provided else "")
