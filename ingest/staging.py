"""Files that were sent but are not a job yet: kept until a person confirms them, for a day at most."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from ingest import jobs, keeping, mappings
from ingest.models import Job
from review import access, depot
from review.text.strict import printable

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from review.models import Source, User

ABOUT = "about.json"
MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file: how it is called for people, its size in bytes, and its number, by which it is stored."""

    number: int
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Staging:
    """Files that one person sent together, and what they said of them."""

    key: UUID
    by: int
    files: tuple[StagedFile, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def job(self) -> int | None:
        """The number of the import that they have become."""
        return Job.objects.filter(staged_as=self.key).values_list("pk", flat=True).first()

    @property
    def folder(self) -> Path:
        """Where the files stand."""
        return keeping.staged_root() / self.key.hex

    def path(self, file: StagedFile) -> Path:
        """Return where one of the files stands on this machine."""
        return self.folder / str(file.number)

    def here(self, file: StagedFile) -> Path:
        """Return where one of the files stands, once it does. Raises OSError."""
        return depot.here(self.path(file))


def stage(files: "Iterable[UploadedFile[bytes]]", *, by: "User", said: Mapping[str, str]) -> Staging:
    """Store files that were sent.

    Raises Refused where there is no room for them, OSError when the disk refuses; then nothing is left behind.
    """
    access.check_import(by)
    files = list(files)
    keeping.remove_leftovers()
    keeping.check_room(sum(file.size or 0 for file in files))
    staging = Staging(uuid4(), by.pk, said=dict(said))
    staging.folder.mkdir(mode=0o700, parents=True)
    try:
        stored = tuple(_store(staging.folder, number, file) for number, file in enumerate(files, start=1))
        depot.keep(*(staging.path(file) for file in stored))
        return _save(replace(staging, files=stored))
    except BaseException:
        with suppress(OSError):
            discard(staging)
        raise


def find(key: UUID, *, by: "User") -> Staging | None:
    """Return what the person sent under this key; None when there is nothing, or it is somebody else's."""
    staging = _load(key)
    return staging if staging is not None and staging.by == by.pk else None


def job_of(key: UUID, *, by: "User") -> Job | None:
    """Return the import that what the person sent under this key has become."""
    return Job.objects.filter(staged_as=key, by=by).first()


def say(staging: Staging, said: Mapping[str, str]) -> Staging:
    """Keep what the person says of the files."""
    return _save(replace(staging, said=dict(said)))


def leave_out(staging: Staging, number: int) -> Staging:
    """Forget one of the files."""
    kept = tuple(file for file in staging.files if file.number != number)
    for file in set(staging.files) - set(kept):
        depot.remove(staging.path(file))
    return _save(replace(staging, files=kept))


def discard(staging: Staging) -> None:
    """Forget all of it."""
    depot.clear(staging.folder)
    with suppress(FileNotFoundError):
        staging.folder.rmdir()


def submit(staging: Staging, *, by: "User", source: "Source", said: Mapping[str, Any]) -> Job:
    """Make the files a job, once: whoever asks again is given the same one.

    `said`: `format`, `encoding`, `mapping` (checked, or None) and the name to keep it under, and for the rights of the
    import `licence`, `holder`, `evidence`. Raises what `jobs.submit` raises.
    """
    try:
        if staging.job is not None:
            return Job.objects.get(pk=staging.job)
        job = _submitted(staging, by, source, said)
    except (IntegrityError, OSError):
        if staging.job is None:
            raise
        return Job.objects.get(pk=staging.job)  # another process has made it, and let go of the files
    _save(replace(staging, files=()))
    for file in staging.files:
        depot.remove(staging.path(file))
    return job


@transaction.atomic
def _submitted(staging: Staging, by: "User", source: "Source", said: Mapping[str, Any]) -> Job:
    with ExitStack() as stack:
        files = _opened(staging, stack)
        read_as = {"format": said["format"], "encoding": said["encoding"], "mapping": said.get("mapping")}
        of_rights = {name: said.get(name, "") for name in ("licence", "holder", "evidence")}
        job = jobs.submit(source=source, files=files, by=by, staged_as=staging.key, **read_as, **of_rights)
    if said.get("mapping") and said["mapping_name"]:
        mappings.keep(said["mapping"], source=source, name=said["mapping_name"], by=by)
    return job


def _opened(staging: Staging, stack: ExitStack) -> Iterator[tuple[str, BinaryIO]]:
    for file in staging.files:
        yield file.name, stack.enter_context(staging.here(file).open("rb"))


def _store(folder: Path, number: int, file: "UploadedFile[bytes]") -> StagedFile:
    size = 0
    with (folder / str(number)).open("xb") as place:
        for block in file.chunks():
            size += place.write(block)
    return StagedFile(number, printable(file.name or "-", MAX_NAME_CHARACTERS)[:MAX_NAME_CHARACTERS], size)


def _save(staging: Staging) -> Staging:
    about: dict[str, Any] = asdict(staging) | {"key": staging.key.hex}
    draft = staging.folder / f"{ABOUT}.{uuid4().hex}"
    draft.write_text(json.dumps(about), encoding="utf-8")
    draft.replace(staging.folder / ABOUT)
    depot.keep(staging.folder / ABOUT)
    return staging


def _load(key: UUID) -> Staging | None:
    try:
        about = json.loads(depot.here(keeping.staged_root() / key.hex / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    files = tuple(StagedFile(**file) for file in about["files"])
    return Staging(key, about["by"], files, about["said"])
