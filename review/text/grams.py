"""The inverted index of a stretch of texts: which of them holds which pair of neighbouring characters.

PostgreSQL's own index over bigrams takes in about two thousand records a second; sorting all the pairs of some
thousand texts at once, outside of it, takes in several times as many. Pairs are kept as one of 2^18 numbers, so that
two pairs may share one: what is found is a candidate, to be looked at in the text itself. Single characters are kept
for blocks of 64 texts. Whole words that a text is filed under (its labels) are numbered in the same way.
"""

from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

CUT = 2_000
"""Characters of a record that are indexed."""
RUN = 8_192
"""Texts that are indexed together, at most."""
SHELVES = 2_048
"""Rows that the index of one run is cut into."""

_GRAM_BITS, _PLACE_BITS = 18, 13
_SLOTS = (1 << _GRAM_BITS) // SHELVES
_BLOCK = 64
_SLICE = 16 * _BLOCK
_MOST_PAIRS = 6
_HEAD = 2 * _SLOTS

type _Numbers = NDArray[np.uint32]
type Places = NDArray[np.uint16]


def folded(text: str) -> str:
    """Return the text as it is compared: without regard to case, character by character."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text


def indexed(*texts: str) -> str:
    """Return what is indexed of a record with these texts, one below the other."""
    return folded("\n".join(texts)[:CUT])


def shelves(texts: Sequence[str], labels: Sequence[Sequence[str]] = ()) -> Iterator[tuple[int, bytes]]:
    """Yield the index of at most RUN texts, and of their labels, as (number of the shelf, its content)."""
    keys = _keys(texts, labels)
    places = (keys & (RUN - 1)).astype("<u2")
    counts = np.bincount(keys >> _PLACE_BITS, minlength=1 << _GRAM_BITS)
    ends: list[int] = np.cumsum(counts).tolist()
    heads = counts.astype("<u2")
    start = 0
    for shelf in range(SHELVES):
        first, behind = shelf * _SLOTS, (shelf + 1) * _SLOTS
        end = ends[behind - 1]
        yield shelf, heads[first:behind].tobytes() + places[start:end].tobytes()
        start = end


def _keys(texts: Sequence[str], labels: Sequence[Sequence[str]]) -> _Numbers:
    """Return every pair, character and label with the place of its text, as numbers in order, each once."""
    parts = [_slice_keys(texts[first : first + _SLICE], first) for first in range(0, len(texts), _SLICE)]
    numbers = {label: gram_of_label(label) for label in {label for given in labels for label in given}}
    filed = [numbers[label] << _PLACE_BITS | place for place, given in enumerate(labels) for label in given]
    return _distinct(np.concatenate([*parts, np.array(filed, np.uint32)]))


def _distinct(keys: _Numbers) -> _Numbers:
    """Return numbers in order, each once; numpy's own `unique` hashes them, which takes fifteen times as long."""
    keys.sort()
    is_first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first]


def gram_of_label(label: str) -> int:
    """Return what to look up for a label."""
    return crc32(label.encode()) >> (32 - _GRAM_BITS)


def _slice_keys(texts: Sequence[str], first: int) -> _Numbers:
    codes = _codes("\0".join(texts))
    lengths = np.fromiter((len(text) + 1 for text in texts), np.int64, len(texts))
    places = np.repeat(np.arange(first, first + len(texts), dtype=np.uint32), lengths)[: len(codes)]
    within = codes != 0
    paired = within[:-1] & within[1:]
    pairs = (_pairs(codes)[paired] << np.uint32(_PLACE_BITS)) | places[:-1][paired]
    singles = (_singles(codes[within]) << np.uint32(_PLACE_BITS)) | (places[within] & np.uint32(RUN - _BLOCK))
    return np.concatenate([_distinct(pairs), _distinct(singles)])


def _codes(text: str) -> _Numbers:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _pairs(codes: _Numbers) -> _Numbers:
    return _mixed(codes[:-1] * np.uint32(0x9E3779B1) ^ codes[1:] * np.uint32(0x85EBCA6B))


def _singles(codes: _Numbers) -> _Numbers:
    return _mixed(codes * np.uint32(0xC2B2AE35))


def _mixed(numbers: _Numbers) -> _Numbers:
    numbers ^= numbers >> np.uint32(15)
    numbers *= np.uint32(0x2C1B3C6D)
    numbers ^= numbers >> np.uint32(12)
    return numbers >> np.uint32(32 - _GRAM_BITS)


def grams(words: str) -> list[int]:
    """Return what to look up for these words (folded): a few of their pairs, or the one character."""
    codes = _codes(words)
    found = _distinct(_pairs(codes)) if len(codes) > 1 else _singles(codes)
    step = -(-len(found) // _MOST_PAIRS)
    return [int(gram) for gram in found[:: step or 1]]


def shelf_of(gram: int) -> int:
    """Return the number of the shelf on which a gram stands."""
    return gram // _SLOTS


def places_of(gram: int, shelf: bytes | memoryview) -> Places:
    """Return the places of the texts that may hold the gram, in order, from the content of its shelf."""
    counts = np.frombuffer(shelf, "<u2", _SLOTS).astype(np.int64)
    slot = gram % _SLOTS
    return np.frombuffer(shelf, "<u2", int(counts[slot]), _HEAD + 2 * int(counts[:slot].sum()))


def whole_blocks(places: Places, size: int) -> Places:
    """Return every place of the blocks that begin at `places`, for a run of `size` texts."""
    blocks = np.repeat(places, _BLOCK) + np.tile(np.arange(_BLOCK, dtype=np.uint16), len(places))
    return np.asarray(blocks[blocks < size], np.uint16)
