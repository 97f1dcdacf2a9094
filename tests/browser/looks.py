"""The looks of the pages, and what is wrong with a page in one of them.

Of the eight looks, two are tried in every run, which have no setting in common; `make looks` tries them all.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LOOKS: dict[str, dict[str, Any]] = {
    f"{width}-{scheme}-{language}": {
        "viewport": {"width": width, "height": height},
        "color_scheme": scheme,
        "locale": language,
    }
    for width, height in ((1280, 860), (375, 760))
    for scheme in ("light", "dark")
    for language in ("zh-CN", "en-US")
}
IN_EVERY_RUN = {"1280-light-zh-CN", "375-dark-en-US"}

each_look = pytest.mark.parametrize(
    "look", [pytest.param(look, marks=[] if look in IN_EVERY_RUN else pytest.mark.slow) for look in LOOKS]
)

AT_REST = """() => document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getTiming().iterations > 1)"""


def violations(page: Page) -> list[Any]:
    """What axe finds on a page that has come to rest: a text that fades in has too little contrast on its way."""
    page.wait_for_function(AT_REST)
    found: list[Any] = Axe().run(page).response["violations"]
    return found


def serious(page: Page) -> list[str]:
    """What of it keeps people out."""
    return [
        f"{violation['id']}: {node['html'][:150]}"
        for violation in violations(page)
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def stays_within(page: Page) -> bool:
    """Tell whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
