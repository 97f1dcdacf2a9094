"""A backup: every row of the database as of one moment, and the files of imports and releases, in one archive.

The archive is a tar of `tables/<table>.copy.zst` (COPY's text format), `uploads/…`, `releases/…` and, first,
`backup.json` with the migrations, the sequences, and rows and sha256 of every table. It needs no program of PostgreSQL
and does not depend on its version. Secrets of the settings are not in it.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import zstandard
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from review import depot
from review.models import User
from review.refused import Refused

ABOUT = "backup.json"
SUFFIX = ".copy.zst"
BLOCK_BYTES = 1 << 20
MAX_ABOUT_BYTES = 16 << 20

type Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the archive: its columns, the number of its rows, and the sha256 of them as COPY wrote them."""

    name: str
    columns: list[str]
    rows: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What `backup.json` says."""

    version: str
    made_at: str
    migrations: list[str]
    tables: list[Table]
    sequences: Mapping[str, int]
    files: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of every file, by its path in the archive."""

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.rows for table in self.tables)


def write(path: Path, *, progress: Progress) -> About:
    """Write the archive beside its place and move it there once it is on disk. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as aside, _snapshot():
        tables = _tables()
        written = []
        for number, table in enumerate(tables):
            progress(number, len(tables))
            written.append(_dump(table, Path(aside)))
        files = dict(_files())
        about = About(
            version=settings.VERSION,
            made_at=timezone.now().isoformat(timespec="seconds"),
            migrations=_migrations(),
            tables=written,
            sequences=_sequences(),
            files={name: _sha256(file) for name, file in files.items()},
        )
        archive = Path(aside) / "archive"
        with tarfile.open(archive, "w") as tar:
            _add_bytes(tar, ABOUT, json.dumps(asdict(about), ensure_ascii=False, indent=1).encode())
            for table in written:
                tar.add(Path(aside) / table.name, f"tables/{table.name}{SUFFIX}")
            for name, file in files.items():
                tar.add(file, name, recursive=False)
        archive.chmod(0o600)
        _sync(archive)
        archive.replace(path)
        _sync(path.parent)
        progress(len(tables), len(tables))
    return about


def read(path: Path, *, progress: Progress) -> About:
    """Put everything back into an empty system, all or nothing. Raises Refused, OSError."""
    try:
        with tarfile.open(path, "r") as tar:
            about = _about(tar)
            _check_fits(about)
            _check_whole(tar, about)
            with transaction.atomic():
                _load(tar, about, progress)
                _unpack(tar, about)
    except (tarfile.TarError, zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        raise Refused(_("%(path)s is no whole backup of CQIA (%(why)s).") % {"path": path, "why": error}) from error
    return about


@contextmanager
def _snapshot() -> Iterator[None]:
    """See the database as of one moment."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def _rows(query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def _tables() -> list[Table]:
    """Return every table with the columns that can be written: what is generated comes again by itself."""
    found = _rows("""
        SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attgenerated = ''
            AND c.relname <> 'django_migrations'
        GROUP BY c.relname ORDER BY c.relname
    """)
    return [Table(name, columns) for name, columns in found]


def _migrations() -> list[str]:
    return [f"{app}.{name}" for app, name in _rows("SELECT app, name FROM django_migrations ORDER BY app, name")]


def _sequences() -> dict[str, int]:
    found = _rows(
        "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
        " AND last_value IS NOT NULL AND sequencename NOT LIKE 'django_migrations%'"
    )
    return dict(found)


def _statement(table: Table, direction: str) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, table.columns))
    return f"COPY {quote(table.name)} ({columns}) {direction}"


def _dump(table: Table, folder: Path) -> Table:
    """Write a table's rows, compressed, into the folder, and return it with what was written."""
    digest, rows = hashlib.sha256(), 0
    with (
        (folder / table.name).open("wb") as file,
        zstandard.ZstdCompressor().stream_writer(file) as out,
        connection.cursor() as cursor,
        cursor.cursor.copy(_statement(table, "TO STDOUT")) as copy,
    ):
        for block in copy:
            data = bytes(block)
            digest.update(data)
            rows += data.count(b"\n")  # a line feed inside a value is written as backslash and n
            out.write(data)
    return Table(table.name, table.columns, rows, digest.hexdigest())


def _files() -> Iterator[tuple[str, Path]]:
    for folder in depot.roots().values():
        for kept in depot.listing(folder):
            with suppress(FileNotFoundError):  # what has gone by itself meanwhile
                yield depot.name_of(kept.path), depot.here(kept.path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o600
    tar.addfile(entry, io.BytesIO(data))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member = tar.extractfile(name)
    if member is None:
        raise ValueError(name)
    return member


def _about(tar: tarfile.TarFile) -> About:
    said = json.loads(_open(tar, ABOUT).read(MAX_ABOUT_BYTES))
    return About(**said | {"tables": [Table(**table) for table in said["tables"]]})


def _check_fits(about: About) -> None:
    """Refuse a system that holds something, and one whose tables are not those of the backup."""
    call_command("migrate", interactive=False, verbosity=0)
    if User.objects.exists() or any(any(depot.listing(folder)) for folder in depot.roots().values()):
        raise Refused(_("This system holds people or files already. Restore into an empty database and data folder."))
    missing = sorted(set(about.migrations) ^ set(_migrations()))
    if missing or {(t.name, *t.columns) for t in about.tables} != {(t.name, *t.columns) for t in _tables()}:
        words = {"version": about.version, "here": settings.VERSION, "names": ", ".join(missing[:5])}
        raise Refused(
            _(
                "The backup was made by version %(version)s, whose tables differ from those of %(here)s (%(names)s). "
                "Restore it with that version, then upgrade."
            )
            % words
        )


def _check_whole(tar: tarfile.TarFile, about: About) -> None:
    """Compare every hash before anything is written."""
    for name, expected in about.files.items():
        depot.place_of(name)
        if hashlib.file_digest(_open(tar, name), "sha256").hexdigest() != expected:  # type: ignore[arg-type]
            raise ValueError(name)
    for table in about.tables:
        digest = hashlib.sha256()
        for block in _blocks(tar, table):
            digest.update(block)
        if digest.hexdigest() != table.sha256:
            raise ValueError(table.name)


def _blocks(tar: tarfile.TarFile, table: Table) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(_open(tar, f"tables/{table.name}{SUFFIX}")) as reader:
        while block := reader.read(BLOCK_BYTES):
            yield block


def _load(tar: tarfile.TarFile, about: About, progress: Progress) -> None:
    """Put the rows back as they were: no trigger writes history of it, and the foreign keys are checked at the end."""
    quote = connection.ops.quote_name
    names = [quote(table.name) for table in about.tables]
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        cursor.execute(f"TRUNCATE {', '.join(names)}")
        for number, table in enumerate(about.tables):
            progress(number, len(about.tables))
            with cursor.cursor.copy(_statement(table, "FROM STDIN")) as copy:
                for block in _blocks(tar, table):
                    copy.write(block)
        for name, value in about.sequences.items():
            cursor.execute("SELECT setval(quote_ident(%s)::regclass, %s)", [name, value])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in names:
            cursor.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")
    progress(len(about.tables), len(about.tables))


def _unpack(tar: tarfile.TarFile, about: About) -> None:
    for name in about.files:
        place = depot.place_of(name)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        member = tar.getmember(name)
        with place.open("xb") as file, _open(tar, name) as content:
            while block := content.read(BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.utime(place, (member.mtime, member.mtime))
        depot.keep(place)
