"""Drawing by a seed: the same records, whatever their order, and however often it is done.

Each record has a rank, the first 64 bits of sha256(seed + key), as good as random and known from seed and text alone.
A share draws the ranks below it. So the draw is exact for its seed: whoever has seed and keys can name every record
that is drawn, before and after, and a larger share of the same seed only adds to a smaller one.
"""

from dataclasses import dataclass
from hashlib import sha256

_WHOLE = 1 << 64
MODEL = "llm"


def rank(seed: str, key: bytes) -> int:
    """Return the place of a key in the order of a seed: 64 bits."""
    return int.from_bytes(sha256(seed.encode() + key).digest()[:8])


@dataclass(frozen=True, slots=True)
class Looks:
    """Which records of a source want more than one decision: a share drawn by a seed, and those that a rule names.

    `share` lies between 0 and 1; `longer_than` counts the characters of question, material and answer, 0 for no limit.
    """

    share: float = 0.0
    seed: str = ""
    looks: int = 2
    flagged: bool = False
    longer_than: int = 0
    model_written: bool = False

    def wanted(self, key: bytes, *, length: int, answer_from: str, is_flagged: bool = False) -> int:
        """Return how many decisions a record wants."""
        by_rule = (
            (self.flagged and is_flagged)
            or (0 < self.longer_than < length)
            or (self.model_written and answer_from == MODEL)
        )
        drawn = by_rule or self.share >= 1 or (self.share > 0 and rank(self.seed, key) < self.share * _WHOLE)
        return self.looks if drawn else 1
