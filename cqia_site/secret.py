"""The data folder, and the secret generated in it when none is configured. Imports no Django: settings need it."""

import os
import secrets
from pathlib import Path


def data_folder(base: Path, configured: str) -> Path:
    """Return the data folder as an absolute path; `configured` may be relative to `base`."""
    return (base / Path(configured).expanduser()).resolve()


def generated_secret(folder: Path) -> str:
    """Return the secret of this installation, made at first use in a file that only its owner reads."""
    path = folder / "secret-key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        pass
    folder.mkdir(parents=True, exist_ok=True)
    # Written aside and linked into place: of several first starts at once exactly one secret wins, and it is whole.
    draft = folder / f".secret-key.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")
