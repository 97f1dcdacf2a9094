"""The file of refused records that a job leaves behind: one JSON object a line, whole or not there at all."""

import base64
import codecs
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from ingest.models import Job, Reject


def write(job: Job) -> Path | None:
    """Write the rejects file of a job and return its path; None when nothing was refused. Raises OSError."""
    rejects = Reject.objects.filter(chunk__job=job).select_related("chunk").order_by("chunk__number", "pk")
    if not rejects.exists():
        return None
    job.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = job.rejects_path.with_suffix(f".{uuid4().hex}.part")
    with draft.open("wb") as file:
        file.writelines(_lines(job, rejects.iterator()))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(job.rejects_path)
    sync_folder(job.folder)
    return job.rejects_path


def sync_folder(folder: Path) -> None:
    """See to it that what was renamed in a folder stays renamed when the power goes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(job: Job, rejects: Iterator[Reject]) -> Iterator[bytes]:
    names = {upload.number: upload.name for upload in job.uploads.all()}
    for reject in rejects:
        yield orjson.dumps(_entry(reject, names[reject.chunk.file]), option=orjson.OPT_APPEND_NEWLINE)


def _entry(reject: Reject, file: str) -> dict[str, Any]:
    return {
        "file": file,
        "line": reject.line,
        "offset": reject.offset,
        "code": reject.code,
        "pointer": reject.pointer,
        "message": reject.message,
        **_raw(bytes(reject.raw), is_cut=reject.is_cut),
        "cut": reject.is_cut,
    }


def _raw(raw: bytes, *, is_cut: bool) -> dict[str, str]:
    """Return the record as text, a character that the cut has split left out; in base64 when it is not UTF-8."""
    try:
        return {"raw": codecs.getincrementaldecoder("utf-8")().decode(raw, final=not is_cut)}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode("ascii")}
