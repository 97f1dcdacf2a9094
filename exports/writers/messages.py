"""OpenAI messages: a conversation of two turns, user and assistant."""

from exports.writers.form import of_lines
from exports.writers.texts import asked_and_answered

_LINE = b'{"messages": [{"role": "user", "content": "%b"}, {"role": "assistant", "content": "%b"}]}'


def _line(line: bytes) -> bytes:
    return _LINE % asked_and_answered(line)


WRITER = of_lines("messages", "messages", _line)
