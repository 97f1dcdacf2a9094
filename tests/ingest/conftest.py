from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    """The folder of uploads, empty for every test."""
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    return tmp_path / "uploads"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Sentences are compared in English."""
    with translation.override("en"):
        yield
