"""The files of one source: in every form that is asked for, by split and by shard, and `records/` beside `data/`."""

from bisect import bisect_right
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exports import folders
from exports.facts import RECORDS, File
from exports.options import Options, drawn
from exports.writers import WRITERS, Form, Writer
from exports.writers.form import Lines, Sink


@dataclass(frozen=True, slots=True)
class _Place:
    """Where files are written, as what, and which time they bear."""

    folder: Path
    options: Options
    moment: int


class _Open:
    """One open file of a form; without a writer, lines as they are."""

    def __init__(self, stack: ExitStack, place: _Place, path: str, writer: Writer | None) -> None:
        self.path = path
        self.records = 0
        self._file = stack.enter_context(folders.Writer(place.folder / path, place.moment))
        begin = writer.begin if writer else _unchanged
        self._form: Form = begin(self._file.write, place.options.compress)

    def add(self, lines: list[bytes]) -> None:
        self._form.add(lines)
        self.records += len(lines)

    def close(self) -> None:
        self._form.close()

    def described(self) -> File:
        return File(self.path, self.records, self._file.bytes, self._file.sha256)


class _Split:
    """The files of one split of a source: one of each form at a time, and the next when a shard is full."""

    def __init__(self, place: _Place, stem: str) -> None:
        self._place, self._stem = place, stem
        self._open: dict[str, _Open] = {}
        self._stack = ExitStack()
        self._size = place.options.shard_size or 0
        self._room = self._size
        self._shard = 0
        self.files: list[File] = []

    def add(self, lines: list[bytes], about: list[bytes]) -> None:
        """Append lines and what `records/` says of each."""
        start = 0
        while start < len(lines):
            if not self._open:
                self._begin()
            end = min(len(lines), start + self._room) if self._size else len(lines)
            for name, form in self._open.items():
                form.add(about[start:end] if name == RECORDS else lines[start:end])
            self._room -= end - start
            if self._size and not self._room:
                self.close()
            start = end

    def _begin(self) -> None:
        self._shard += 1
        self._room = self._size
        stem = f"{self._stem}.{self._shard:05d}" if self._size else self._stem
        packing = self._place.options.packing
        for name in self._place.options.formats:
            writer = WRITERS[name]
            path = f"{writer.folder}/{stem}{writer.ending}{packing if writer.has_lines else ''}"
            self._open[name] = _Open(self._stack, self._place, path, writer)
        self._open[RECORDS] = _Open(self._stack, self._place, f"{RECORDS}/{stem}.jsonl{packing}", None)

    def close(self) -> None:
        """Bring the open files to their end and on the disk."""
        for form in self._open.values():
            form.close()
        self._stack.close()
        self.files += [form.described() for form in self._open.values()]
        self._open = {}

    def abandon(self, *error: Any) -> None:
        """Close what is open: it is thrown away."""
        self._stack.__exit__(*error)


class SourceFiles:
    """All files of one source, open for writing."""

    def __init__(self, folder: Path, slug: str, options: Options, moment: int) -> None:
        place = _Place(folder, options, moment)
        stems = [f"{slug}.{name}" if name else slug for name in options.split_names]
        self._splits = [_Split(place, stem) for stem in stems]
        self._bounds = options.bounds()

    def add(self, lines: list[bytes], about: list[bytes]) -> None:
        """Append nine-field lines, and what `records/` says of each; all without a newline."""
        if not self._bounds:
            self._splits[0].add(lines, about)
            return
        chosen: defaultdict[int, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
        for line, said in zip(lines, about, strict=True):
            part = chosen[bisect_right(self._bounds, drawn(line))]
            part[0].append(line)
            part[1].append(said)
        for number, (some, of_them) in chosen.items():
            self._splits[number].add(some, of_them)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for split in self._splits:
            if error is None:
                split.close()
            else:
                split.abandon(kind, error, trace)

    @property
    def files(self) -> list[File]:
        """What has been brought on the disk."""
        return [file for split in self._splits for file in split.files]


def _unchanged(sink: Sink, compression: str | None) -> Form:
    return Lines(sink, compression, None)
