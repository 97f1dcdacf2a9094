"""The file of refused records that a job leaves behind: one JSON object a line, whole or not there at all.

It can be mended, in the field `raw`, and imported like any other file: each line says of which format its record is,
and what mapping it was read by.
"""

import base64
import codecs
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from ingest.models import Job, Reject, Upload
from ingest.readers.returned import RETURNED, is_returned
from ingest.readers.rows import DELIMITERS, column_names
from review import depot

TRANSCRIBED = {"array", "object", "parquet", "rejects"}
"""Containers whose records are held as UTF-8 whatever the file is in."""


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
    depot.keep(job.rejects_path)
    return job.rejects_path


def sync_folder(folder: Path) -> None:
    """See to it that what was renamed in a folder stays renamed when the power goes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(job: Job, rejects: Iterator[Reject]) -> Iterator[bytes]:
    uploads = {upload.number: (upload, _columns(upload)) for upload in job.uploads.all()}
    for reject in rejects:
        entry = _entry(reject, *uploads[reject.chunk.file]) | _mapped(job)
        yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def _mapped(job: Job) -> dict[str, Any]:
    """Return the mapping that the job was submitted with, without which its records would be read otherwise."""
    return {"mapping": job.options["mapping"]} if job.options.get("mapping") else {}


def _columns(upload: Upload) -> dict[str, list[str]]:
    """Return the names of the columns of a table, without which its rows cannot be read again."""
    if upload.container.partition(".")[0] not in DELIMITERS:
        return {}
    with suppress(FileNotFoundError), depot.here(upload.path).open("rb") as stream:
        return {"columns": column_names(stream, upload.container, upload.encoding)}
    return {}


def at_hand(job: Job) -> Path | None:
    """Return the path of the rejects file, of a job that has ended too early also; None when there is none."""
    return find(job) or (None if job.is_open else write(job))


def find(job: Job) -> Path | None:
    """Return the path of the rejects file once it stands there; None when there is none."""
    with suppress(FileNotFoundError):
        path = depot.here(job.rejects_path)
        return path if path.exists() else None
    return None


def _entry(reject: Reject, upload: Upload, columns: dict[str, list[str]]) -> dict[str, Any]:
    container = upload.container.partition(".")[0]
    encoding = "utf-8" if container in TRANSCRIBED else upload.encoding
    held: dict[str, Any] = {"container": container, **columns}
    held |= {**_raw(bytes(reject.raw), encoding, is_cut=reject.is_cut), "cut": reject.is_cut}
    if container == "rejects":
        held |= _returned(bytes(reject.raw), upload.format)
    return {
        "file": upload.name,
        "line": reject.line,
        "offset": reject.offset,
        "code": reject.code,
        "pointer": reject.pointer,
        "message": reject.message,
        "format": upload.format,
        **held,
    }


def _returned(raw: bytes, format: str) -> dict[str, Any]:  # noqa: A002  named like the option
    """Return what a line says of its record that came back and is refused once more; `format` is how it was read."""
    try:
        entry = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    if not (isinstance(entry, dict) and is_returned(entry)):
        return {}
    names = ("container", "columns", "raw", "cut", "mapping", *(("format",) if format == RETURNED else ()))
    return {name: entry[name] for name in names if name in entry}


def _raw(raw: bytes, encoding: str, *, is_cut: bool) -> dict[str, str]:
    """Return the record as text, a character that the cut has split left out; in base64 when it cannot be decoded."""
    try:
        return {"raw": codecs.getincrementaldecoder(encoding or "utf-8")().decode(raw, final=not is_cut)}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode("ascii")}
