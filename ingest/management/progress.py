"""How far a job is: a bar on a terminal, a line every few seconds elsewhere."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 5.0


class Meter:
    """Shows how many records are read and how much of the files they were in; `say` writes a line."""

    def __init__(self, sizes: Sequence[int], say: Callable[[str], object], *, is_terminal: bool) -> None:
        self._sizes = sizes
        self._say = say
        self._read = 0
        self._said_at = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=sum(sizes))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, file: int, offset: int, *, more: int = 0) -> None:
        """Reading has come to this byte of file number `file`; `more` records were read since the last time."""
        self._read += more
        done = sum(self._sizes[: file - 1]) + min(offset, self._sizes[file - 1])
        words = _("%(read)s records read") % {"read": f"{self._read:,}"}
        self._bar.update(self._task, completed=done, description=words)
        if self._bar.disable and time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            with suppress(BrokenPipeError):  # that nobody reads on is no reason to stop the import
                self._say(f"{words}, {done * 100 // max(sum(self._sizes), 1)} %")
