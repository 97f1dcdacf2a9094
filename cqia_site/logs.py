"""Log lines: for people, or with `LOG_FORMAT=json` one JSON object each; with the request or task they belong to."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from celery.signals import task_postrun, task_prerun

current: ContextVar[dict[str, str]] = ContextVar("what is being done")
"""The ids of the request or task at hand."""

CONTROL = {code: f"\\x{code:02x}" for code in [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]}
"""Text of others must neither begin a line of its own nor steer a terminal."""


class Line(logging.Formatter):
    """One line of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; only a traceback goes on over several."""
        record.ids = "".join(f" {name}={value}" for name, value in current.get({}).items())
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name in logging
        record.message = record.message.translate(CONTROL)
        return super().formatMessage(record)


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **current.get({}),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


@task_prerun.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _task_begins(task_id: str, args: tuple[object, ...] = (), **signal: object) -> None:
    ids = {"task": str(getattr(signal.get("task"), "name", "")), "task_id": task_id}
    if args and isinstance(args[0], int):
        ids["id"] = str(args[0])
    current.set(ids)


@task_postrun.connect  # type: ignore[untyped-decorator]  # as above
def _task_ends(**_signal: object) -> None:
    current.set({})
