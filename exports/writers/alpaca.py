"""Alpaca: instruction, input, output."""

from exports.writers.form import of_lines
from exports.writers.texts import texts


def _line(line: bytes) -> bytes:
    return b'{"instruction": "%b", "input": "%b", "output": "%b"}' % texts(line)


WRITER = of_lines("alpaca", "alpaca", _line)
