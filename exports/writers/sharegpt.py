"""ShareGPT: a conversation of two turns, human and gpt."""

from exports.writers.form import of_lines
from exports.writers.texts import asked_and_answered

_LINE = b'{"conversations": [{"from": "human", "value": "%b"}, {"from": "gpt", "value": "%b"}]}'


def _line(line: bytes) -> bytes:
    return _LINE % asked_and_answered(line)


WRITER = of_lines("sharegpt", "sharegpt", _line)
