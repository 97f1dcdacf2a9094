"""Making the next of some items while the last one is being used: in another thread, or in another process.

A thread shares the interpreter with its user, so that it only fills in where that one waits. A process works beside it
on a core of its own, and is worth its start where there is much to make.
"""

import fcntl
import gc
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PIPE_BYTES = 1 << 20
"""What may lie between two processes: as much as goes through at once."""


class InThread[T]:
    """Makes the next item in another thread, from the moment that it is told to begin."""

    def __init__(self, items: Iterator[T], *, patience: float) -> None:
        """`patience` is the seconds between two calls of what is done meanwhile."""
        self._items = items
        self._patience = patience
        self._thread = ThreadPoolExecutor(1)
        self._coming: Future[T | None] | None = None

    def begin(self) -> None:
        """Make the next item, unless that has begun."""
        self._coming = self._coming or self._thread.submit(next, self._items, None)

    def take(self, *, meanwhile: Callable[[], object]) -> T | None:
        """Return the next item, None after the last; while it takes its time, `meanwhile` is called."""
        self.begin()
        coming, self._coming = self._coming, None
        while coming and not wait([coming], self._patience).done:
            meanwhile()
        return coming.result() if coming else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.shutdown()


class Died(Exception):  # noqa: N818  what happened
    """The process that made the items is gone without a word: it was killed, perhaps for want of memory."""


class InProcess[T]:
    """Makes the items in a process of its own, one ahead; it ends with the process that began it, however that ends."""

    def __init__(self, items: Iterator[T]) -> None:
        """Begin. The items are made in a copy of this process: there they must touch no database."""
        self._reader, writer = Pipe(duplex=False)
        with suppress(AttributeError, OSError):  # where the system knows no sizes, or allows no larger one
            fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with warnings.catch_warnings():
            # A thread that draws a progress bar holds no lock that making items asks for.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()  # not by `multiprocessing`, which lets the processes of Celery's pool begin none
        if not self.pid:
            try:
                _make(items, self._reader, writer)
            finally:
                os._exit(0)
        writer.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        """Return the next item; raises what making it raised, and Died."""
        try:
            item: T | Exception | None = self._reader.recv()
        except EOFError as error:
            raise Died from error
        if item is None:
            raise StopIteration
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._reader.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _make[T](items: Iterator[T], reader: "Connection", writer: "Connection") -> None:
    """Send the items, and None after the last, until nobody takes them any more."""
    reader.close()
    gc.freeze()  # what was there before is not looked at again
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the process that began this one to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(BrokenPipeError):
        try:
            for item in items:
                writer.send(item)
            writer.send(None)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001  raised again by who takes the items
            writer.send(error)
