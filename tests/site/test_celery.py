"""What a worker does of itself."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.core


def test_a_worker_takes_what_the_pages_leave_of_the_processor() -> None:
    code = (
        "import os; from celery.signals import worker_init; from cqia_site import celery; before = os.nice(0);"
        " worker_init.send(sender=None); print(os.nice(0) - before)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert int(said.stdout) > 0
