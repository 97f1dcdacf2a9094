"""An early plugin of pytest: brings the services up before the settings are read.

Every run has a data folder of its own, `var/test/1` or the next one that no other run holds, so that tests never touch
a developer's data and two runs do not meet. What a killed run left in its folder is taken over by the next one there.
With `DATABASE_URL` and `REDIS_URL` set, the tests use those servers. The workers of xdist inherit what was set here.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from cqia_site import embedded

pytest_plugins = ["tests.chromium"]


@contextmanager
def own_data_folder() -> Iterator[None]:
    """Set `CQIA_DATA_DIR` to a folder that this run alone holds."""
    for number in count(1):
        folder = embedded.BASE_DIR / "var" / "test" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        with Path(f"{folder}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            os.environ["CQIA_DATA_DIR"] = str(folder)
            yield
            return


def own_broker(address: str, worker: str) -> str:
    """Return the address of the database on the broker that a worker of xdist (`gw0`, `gw1`, …) has to itself."""
    number = int(worker.removeprefix("gw")) + 1
    if address.startswith("unix:"):
        return f"{address.partition('?')[0]}?db={number}"
    return f"{address.rpartition('/')[0]}/{number}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start the services around everything that pytest does, unless a parent process has."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        stack.enter_context(own_data_folder())
        embedded.POSTGRES_SETTINGS += ("fsync=off",)  # a test's data need not outlive the machine
        try:
            stack.enter_context(embedded.services())
        except embedded.Unavailable as error:
            raise pytest.UsageError(str(error)) from error
    else:
        os.environ["REDIS_URL"] = own_broker(os.environ["REDIS_URL"], os.environ["PYTEST_XDIST_WORKER"])
    return (yield)
