"""The browser of the browser tests: the system's Chromium, or Playwright's own.

`python -m tests.chromium` fetches Playwright's where there is none. Without one, the tests marked `browser` fail the
run in CI; elsewhere they are left out, and the end of the run says so.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

COMMAND = f"{Path(sys.executable).parent / 'playwright'} install --with-deps chromium"
MESSAGE = f"There is no Chromium for the browser tests. This command installs it: {COMMAND}"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@cache
def executable() -> Path | None:
    """Return the browser's path; None if there is none."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return Path(found)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() and _starts(own) else None


def _starts(browser: Path) -> bool:
    return subprocess.run([browser, "--version"], check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of the browser."""
    found = executable()
    assert found, MESSAGE
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the browser tests out where there is no browser; in CI that is an error."""
    browser = [item for item in items if item.get_closest_marker("browser")]
    if not browser or executable():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError(MESSAGE)
    config.hook.pytest_deselected(items=browser)
    items[:] = [item for item in items if item not in browser]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once more what was left out and why."""
    if executable() is None:
        terminalreporter.write_line(f"The browser tests were left out. {MESSAGE}", yellow=True)


def main() -> int:
    """Fetch Playwright's browser if there is none; return 1 if there is still none and this is CI."""
    if executable():
        return 0
    sys.stderr.write("Fetching Chromium for the browser tests …\n")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    executable.cache_clear()
    if executable():
        return 0
    sys.stderr.write(f"{MESSAGE}\n")
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
