"""What is asked for of a release beside version and policy, and frozen with it: the same options, the same bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any, Self

from django.utils.translation import gettext as _

from exports.writers import COMPRESSIONS, WRITERS
from exports.writers.texts import texts
from review.refused import Ground, Refused

CQIA = "cqia"
FORMATS = tuple(WRITERS)
NAME = re.compile(r"(?!(?:all|jsonl|parquet)$)[a-z][a-z0-9_]{0,30}")
"""The name of a split: none that loaders reserve, and none that is the ending of a file."""
FRACTION = re.compile(r"0?\.\d{1,9}|1(\.0{1,9})?|0\.\d{1,9}")
MAX_NUMBER = 2**31 - 1
WHOLE = 2**64


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many records of which source at most, drawn by a seed. A source without a cap of its own takes `others`."""

    caps: tuple[tuple[str, int], ...] = ()
    seed: int = 0
    others: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the release keeps of it."""
        said: dict[str, Any] = {"seed": self.seed, "caps": dict(self.caps)}
        return said if self.others is None else said | {"others": self.others}

    @classmethod
    def from_json(cls, said: object) -> Self:
        """Return the mixture that a file or a mix describes; refused when it is none."""
        if not isinstance(said, dict) or not isinstance(said.get("caps", {}), dict):
            raise _no_mixture()
        unknown = set(said) - {"seed", "caps", "others"}
        caps, seed, others = said.get("caps", {}), said.get("seed", 0), said.get("others")
        numbers = [*caps.values(), seed, *([] if others is None else [others])]
        if unknown or not all(type(number) is int and 0 <= number <= MAX_NUMBER for number in numbers):
            raise _no_mixture()
        return cls(tuple(sorted(caps.items())), seed, others)

    def cap(self, slug: str) -> int | None:
        """Return how many records of a source it takes at most; None for all of them."""
        return dict(self.caps).get(slug, self.others)


def _no_mixture() -> Refused:
    said = _('A mix is a JSON object such as {"seed": 42, "caps": {"zhihu": 1000}, "others": 500}, with whole numbers.')
    return Refused(said, ground=Ground.INVALID)


@dataclass(frozen=True, slots=True)
class Options:
    """Two requests are the same when these are equal. `sources` are slugs; none means every source.

    `splits` are names with their shares, in order; `shard_size` is in records.
    """

    sources: tuple[str, ...] = ()
    formats: tuple[str, ...] = (CQIA,)
    mix: Mixture | None = None
    splits: tuple[tuple[str, str], ...] = ()
    shard_size: int | None = None
    compress: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the release keeps of it: an option that is not used leaves no trace, so that more may come."""
        said = {
            "sources": sorted(set(self.sources)),
            "formats": sorted({CQIA, *self.formats}),
            "mix": self.mix and self.mix.as_json(),
            "splits": [list(split) for split in self.splits],
            "shard_size": self.shard_size,
            "compress": self.compress,
        }
        return {name: value for name, value in said.items() if value}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Return the options that a release has kept."""
        return cls(
            sources=tuple(said.get("sources", ())),
            formats=tuple(sorted({CQIA, *said.get("formats", ())})),
            mix=Mixture.from_json(said["mix"]) if "mix" in said else None,
            splits=tuple((name, share) for name, share in said.get("splits", ())),
            shard_size=said.get("shard_size"),
            compress=said.get("compress"),
        )

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits; one without a name when there are none."""
        return tuple(name for name, _share in self.splits) or ("",)

    def bounds(self) -> list[int]:
        """Return where each split ends, of 2**64."""
        total = Fraction(0)
        ends = []
        for _name, share in self.splits:
            total += Fraction(share)
            ends.append(int(total * WHOLE))
        return ends

    @property
    def packing(self) -> str:
        """What the names of compressed files end with."""
        return COMPRESSIONS[self.compress] if self.compress else ""


def drawn(line: bytes) -> int:
    """Return the number below 2**64 by which a line finds its split.

    It follows from what is asked: the same question with another answer falls into the same split, in every release.
    """
    instruction, given, _answer = texts(line)
    return int.from_bytes(sha256(instruction + b"\0" + given).digest()[:8])


def splits(text: str) -> tuple[tuple[str, str], ...]:
    """Read `train=0.95,validation=0.05`; refused unless the shares are whole together."""
    found: list[tuple[str, str]] = []
    for entry in filter(None, text.replace(" ", "").split(",")):
        name, _sign, share = entry.partition("=")
        if not NAME.fullmatch(name) or not FRACTION.fullmatch(share) or name in dict(found) or not Fraction(share):
            raise _no_splits()
        found.append((name, _plain(Fraction(share))))
    if found and sum(Fraction(share) for _name, share in found) != 1:
        raise _no_splits()
    return tuple(found)


def _plain(share: Fraction) -> str:
    """Write a share in one way only."""
    return f"{float(share):.9f}".rstrip("0").rstrip(".")


def _no_splits() -> Refused:
    said = _("Splits are written as train=0.95,validation=0.05: names of small letters, shares that are 1 together.")
    return Refused(said, ground=Ground.INVALID)
