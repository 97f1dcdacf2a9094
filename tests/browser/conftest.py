"""A real browser on the running site. An error in its console or a breach of the content policy fails the test."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from review.models import User

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright runs a loop of its own in this thread

REFUSED = re.compile(r"(status of|Error Code) (403|404|409|422|503)")
"""What Chromium says of an answer that refuses; the pages mean it."""

REPORT_BREACHES = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class OpenPage(Protocol):
    def __call__(self, user: User | None = None, **options: Any) -> Page:
        """Open a page of its own browser profile, signed in as `user`; `options` as for a browser context."""


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[OpenPage]:
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not REFUSED.search(message.text):
            errors.append(message.text)

    def opened(user: User | None = None, **options: Any) -> Page:
        context = browser.new_context(**{"base_url": live_server.url, "locale": "en-US"} | options)
        contexts.append(context)
        context.add_init_script(REPORT_BREACHES)
        context.on("console", note)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        if user:
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session(user), "url": live_server.url}]
            )
        page = context.new_page()
        page.set_default_timeout(30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


def session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
