"""What axe finds on a page that has come to rest: a text that fades in has too little contrast on its way."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AT_REST = """() => document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getTiming().iterations > 1)"""


def violations(page: Page) -> list[Any]:
    """Return every violation."""
    page.wait_for_function(AT_REST)
    found: list[Any] = Axe().run(page).response["violations"]
    return found
