"""What a raw record says beside its texts: addresses, authors, ids, whatever else stood with it in the file."""

import re
from collections.abc import Collection, Iterator
from typing import Final

import orjson

SHORT: Final = 300
"""A longer value is a text of its own; of one that no wording holds, only the addresses are kept."""

_FILED: Final = frozenset({"task_type", "domain", "answer_from", "human_verified"})
"""Fields that say nothing of where a record comes from."""
_ADDRESS = re.compile(r"(?:https?:)?//[^\s\"'<>\\]+")
_SEPARATED = re.compile(r"[\r\n\t,;\"]+")


def beside(raw: bytes, texts: Collection[str]) -> list[str]:
    """Return what stands in `raw` and in none of its record's `texts`, each once."""
    whole = "\n".join(texts)
    return list(dict.fromkeys(piece for value in _values(raw) for piece in _kept(value) if piece not in whole))


def _kept(value: str) -> Iterator[str]:
    value = value.strip()
    if len(value) <= SHORT:
        yield value
    else:
        yield from _ADDRESS.findall(value)


def _values(raw: bytes) -> Iterator[str]:
    try:
        held = [orjson.loads(raw)]
    except orjson.JSONDecodeError:
        yield from _SEPARATED.split(_decoded(raw))
        return
    while held:
        value = held.pop()
        if isinstance(value, dict):
            held += [part for name, part in value.items() if name not in _FILED]
        elif isinstance(value, list):
            held += value
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield str(value)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")
