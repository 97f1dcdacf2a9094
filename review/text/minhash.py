"""Which texts are nearly the same: MinHash over shingles of five characters, and how alike two texts are exactly."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

SHINGLE: Final = 5
BANDS: Final = 16
"""Numbers that a text is known by. Two texts that share one may be alike: of those that share 80 per cent of their
shingles 95 in a hundred do, of those that share 90 per cent all but one in ten thousand."""

_PERMUTATIONS, _SEED = 128, 42
_SLICE_CHARACTERS = 400_000
_GAP = "\0" * (SHINGLE - 1)

type Signatures = NDArray[np.uint32]


def squeezed(*texts: str) -> str:
    """Return what is compared of a record with these texts: without white space, and without regard to case."""
    return "".join("".join(texts).lower().split())


def signatures(texts: Sequence[str]) -> Signatures:
    """Return the BANDS numbers of each text, a row a text."""
    rows = [_band_numbers(_digests(part)) for part in _slices(texts)]
    return np.concatenate(rows) if rows else np.zeros((0, BANDS), np.uint32)


def _slices(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for text in texts:
        if part and size + len(text) > _SLICE_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _digests(texts: Sequence[str]) -> Signatures:
    """Return the MinHash of each text."""
    whole = [text if len(text) >= SHINGLE else text.ljust(SHINGLE, "\1") for text in texts]
    hashes = _shingle_hashes(_GAP.join(whole))
    numbers = np.fromiter((len(text) - SHINGLE + 1 for text in whole), np.int64, len(whole))
    ends = np.cumsum(numbers)
    # Behind the shingles of a text come those that reach over its end into the next one.
    skipped = np.repeat(np.arange(len(whole), dtype=np.int64) * (2 * (SHINGLE - 1)), numbers)
    within = hashes[np.arange(ends[-1]) + skipped]
    rows = RMinHash.digest_matrix_from_flat_token_hashes(within, np.append(0, ends), _PERMUTATIONS, _SEED).to_rows()
    return np.array(rows, dtype=np.uint32)


def _shingle_hashes(text: str) -> NDArray[np.uint64]:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    last = len(codes) - SHINGLE + 1
    hashes = codes[:last].copy()
    for step in range(1, SHINGLE):
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes += codes[step : last + step]
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(0xD6E8FEB86659FD93)
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _band_numbers(digests: Signatures) -> Signatures:
    """Draw the numbers of a digest together to one a band."""
    bands = digests.reshape(len(digests), BANDS, _PERMUTATIONS // BANDS).astype(np.uint64)
    numbers = np.zeros((len(digests), BANDS), np.uint64)
    for column in range(bands.shape[2]):
        numbers = (numbers ^ bands[:, :, column]) * np.uint64(0x100000001B3)
        numbers ^= numbers >> np.uint64(29)
    return (numbers >> np.uint64(16)).astype(np.uint32)


def shingles(text: str) -> frozenset[str]:
    """Return the shingles of a squeezed text."""
    if len(text) < SHINGLE:
        return frozenset((text,))
    return frozenset(text[start : start + SHINGLE] for start in range(len(text) - SHINGLE + 1))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the shingles of both texts that they have in common (Jaccard)."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)
