"""What a golden sample is made of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Made(NamedTuple):
    """What must become of a record."""

    instruction: str
    output: str
    others: Mapping[str, Any] = MappingProxyType({})


class Golden(NamedTuple):
    """Records of a format: as values, written as JSONL, or as the bytes of a file in another container."""

    raw: list[dict[str, Any]] | str
    made: list[Made]
    container: str = "jsonl"
