from pathlib import Path

import pytest
from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    """The folder of uploads, empty for every test."""
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    return tmp_path / "uploads"
