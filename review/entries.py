"""A candidate made ready to enter: its texts looked at and hashed, its rows packed. Touches no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from review.flags import Places, places
from review.models import State
from review.text import copying
from review.text.rules import Texts
from review.text.signature import content_hash_of, duplicate_key_of, joined_labels

if TYPE_CHECKING:
    from review.models import Source
    from review.text.draw import Looks


class Candidate(Protocol):
    """What a record needs to enter: the nine fields, where it stood, and what the file claimed.

    `major`, `minor`, `domain` and `answer_from` may be None where the raw shape has no such field: then the source's
    own are taken.
    """

    @property
    def line(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def instruction(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def major(self) -> Sequence[str] | None: ...
    @property
    def minor(self) -> Sequence[str] | None: ...
    @property
    def domain(self) -> Sequence[str] | None: ...
    @property
    def metadata(self) -> str: ...
    @property
    def answer_from(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def claimed_human_verified(self) -> bool | None: ...
    @property
    def claimed_copyright(self) -> str | None: ...
    @property
    def repairs(self) -> Sequence[str]: ...
    @property
    def scorer(self) -> str: ...
    @property
    def score(self) -> float | None: ...
    @property
    def unscored(self) -> str: ...


@dataclass(slots=True)
class Entry:
    """What the database is given of a candidate: all of it made ready, so that it can be sent between processes."""

    key: bytes
    content: bytes
    external_id: str | None
    line: int
    offset: int
    length: int
    """Characters of instruction, input and output."""
    is_answered: bool
    answer_from: str
    wording: bytes
    """What the row of its revision holds behind the ids, as COPY takes it."""
    original: bytes
    """The same of its original."""
    raw_hash: bytes
    """Of the line as it stood in the file."""
    claimed_hash: bytes
    """Of the copyright text that it claims."""
    flags: tuple[bytes, ...]
    """The same of each of its flags."""
    score: bytes
    """The same of its score; nothing where nobody asked for one."""
    revision: int = 0

    def __reduce__(self) -> tuple[type["Entry"], tuple[object, ...]]:
        """Go between processes as what it is made of: Python's own way asks for every attribute by its name."""
        return Entry, _MADE_OF(self)

    @property
    def state(self) -> State:
        return State.WAITING if self.is_answered else State.UNANSWERED

    def wanted(self, rule: "Looks") -> int:
        """Return how many decisions are wanted, by the source's rule for second looks."""
        return rule.wanted(self.key, length=self.length, answer_from=self.answer_from, is_flagged=bool(self.flags))


_MADE_OF = attrgetter(*Entry.__slots__)


class Prepared(NamedTuple):
    """A candidate that is ready to enter: all that needs no database is done."""

    candidate: Candidate
    texts: Texts
    """What rules look at, the source's defaults filled in."""
    flags: Places
    entry: Entry


def prepared(candidate: Candidate, *, source: "Source") -> Prepared:
    """Do for `add_records` what can be done ahead of it, in another thread or process: it touches no database."""
    major, minor = _labels(candidate.major, source, "major"), _labels(candidate.minor, source, "minor")
    domain = _labels(candidate.domain, source, "domain")
    answer_from = source.answer_from if candidate.answer_from is None else candidate.answer_from
    said = (candidate.instruction, candidate.input, candidate.output, candidate.metadata)
    texts = Texts(*said, major, minor, domain, answer_from, source.names)
    encoded = [text.encode() for text in said]
    flags = places(texts, source=source, encoded=encoded[:3])
    return Prepared(candidate, texts, flags, _entry(candidate, texts, encoded, flags))


def _entry(candidate: Candidate, texts: Texts, said: Sequence[bytes], flags: Places) -> Entry:
    answer_from = texts.answer_from or ""
    labels, labels_hashed = _packed(tuple(texts.major), tuple(texts.minor), tuple(texts.domain))
    content = content_hash_of((*said, answer_from.encode()), labels_hashed)
    (instruction, given, output, metadata), raw, length = said, candidate.raw, copying.length
    claims, claimed_hash = _claims(
        candidate.claimed_human_verified, candidate.claimed_copyright, tuple(candidate.repairs)
    )
    return Entry(
        duplicate_key_of(texts[:3], said[:3]),
        content,
        candidate.external_id,
        candidate.line,
        candidate.offset,
        length=len(texts.instruction) + len(texts.input) + len(texts.output),
        is_answered=bool(texts.output.strip()),
        answer_from=answer_from,
        wording=b"".join(
            [
                *(length(instruction), instruction, length(given), given, length(output), output, labels),
                *(length(metadata), metadata, copying.text(answer_from), length(content), content),
            ]
        ),
        original=b"".join(
            [copying.integer(candidate.line), copying.bigint(candidate.offset), length(raw), raw, claims]
        ),
        raw_hash=sha256(raw).digest(),
        claimed_hash=claimed_hash,
        score=_score(candidate),
        flags=tuple([copying.text(rule) + copying.jsonb([tuple(s) for s in spans]) for rule, spans in flags.items()]),
    )


@lru_cache(maxsize=256)
def _packed(major: tuple[str, ...], minor: tuple[str, ...], domain: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return labels as their columns hold them, and as they are hashed; the records of a source have few of them."""
    columns = copying.jsonb({"major": major, "minor": minor}) + copying.jsonb(domain)
    return columns, joined_labels(major, minor, domain)


def _score(candidate: Candidate) -> bytes:
    if not candidate.scorer:
        return b""
    return copying.double(candidate.score) + copying.text(candidate.scorer) + copying.text(candidate.unscored)


@lru_cache(maxsize=32)
def _claims(human_verified: bool | None, copyright_text: str | None, repairs: tuple[str, ...]) -> tuple[bytes, bytes]:  # noqa: FBT001  a claim
    """Return what an original holds behind its raw line, and the hash of the copyright text that is claimed."""
    columns = copying.boolean(human_verified) + copying.optional(copyright_text) + copying.texts(repairs)
    return columns, sha256((copyright_text or "").encode()).digest()


def _labels(given: Sequence[str] | None, source: "Source", kind: str) -> Sequence[str]:
    """Return the labels given, else the source's own; of several that do not go together, a person chooses."""
    if given is not None:
        return given
    usual: Sequence[str] = getattr(source, kind)
    return usual if len(usual) == 1 or source.labels_go_together else ()
