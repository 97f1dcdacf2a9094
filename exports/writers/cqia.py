"""The nine published fields, one record a line."""

from exports.writers.form import Form, Lines, Sink, Writer


def _same(line: bytes) -> bytes:
    return line


def _begin(sink: Sink, compression: str | None) -> Form:
    return Lines(sink, compression, None)


WRITER = Writer("cqia", "data", ".jsonl", _begin, _same)
