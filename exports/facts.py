"""What card and manifest say of a release: counted from its rows, never stated by hand."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from exports.options import CQIA, NAME
from exports.writers import WRITERS

if TYPE_CHECKING:
    from exports.models import Release

CARD = "README.md"
MANIFEST = "manifest.json"
CHANGES = "CHANGES.md"
DATASET_INFO = "dataset_info.json"
CROISSANT = "croissant.json"
ALL = "all"
"""The configuration that holds every source: no source may be called so."""

NOT_IN_MIX = "not-in-mix"
"""Why a record is held back that a mix did not draw."""

RECORDS = "records"
"""The folder of what is said of each line of `data/`."""
UNSPLIT = "train"
"""The split of what is not split."""

INTERNAL_NOTICE = "仅供内部训练使用，不得发布。 For training in the house only. Never publish."


@dataclass(frozen=True, slots=True)
class File:
    """A file of a release: its path below the release's folder, its lines where it has records, size and hash."""

    path: str
    records: int | None
    bytes: int
    sha256: str


@dataclass(slots=True)
class SourceFacts:
    """A source as the cut described it, and what its lines are."""

    described: dict[str, Any]
    kinds: Counter[bytes] = field(default_factory=Counter)

    @property
    def slug(self) -> str:
        return str(self.described["slug"])

    @property
    def records(self) -> int:
        return int(self.described["records"])

    @property
    def licences(self) -> dict[str, int]:
        return self._counted(0)

    @property
    def answer_from(self) -> dict[str, int]:
        return self._counted(1)

    @property
    def edited(self) -> int:
        """The number of lines whose wording a reviewer has changed."""
        return self._counted(2).get("edited", 0)

    def _counted(self, part: int) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for kind, number in self.kinds.items():
            counted[kind.decode().split("|")[part]] += number
        return dict(sorted(counted.items()))


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. `reviewers` decided on the records; `settled` of them were decided after reviewers had differed."""

    sources: list[SourceFacts]
    files: list[File]
    reviewers: int
    settled: int

    @property
    def licences(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(source.licences)
        return dict(sorted(total.items()))

    def paths(self, form: str, slugs: Collection[str]) -> dict[str, list[str]]:
        """Return the files in one form of these sources, by split, in order."""
        found: dict[str, list[str]] = {}
        for path in of_form([file.path for file in self.files], form):
            source, split = placed(path)
            if source in slugs:
                found.setdefault(split or UNSPLIT, []).append(path)
        return found

    @property
    def by_split(self) -> dict[str, int]:
        """Return how many records each split holds, in the order of their names."""
        total: Counter[str] = Counter()
        for file in self.files:
            if file.path in set(of_form([file.path], CQIA)):
                total[placed(file.path)[1] or UNSPLIT] += file.records or 0
        return dict(sorted(total.items()))

    @property
    def edited(self) -> int:
        return sum(source.edited for source in self.sources)


def gathered(release: "Release", sources: list[SourceFacts], files: list[File]) -> Facts:
    """Add to what was counted line by line who stands behind it."""
    decided = release.rows.aggregate(
        reviewers=Count("verdict__reviewer", distinct=True), settled=Count("pk", filter=Q(verdict__kind="settle"))
    )
    return Facts(sources, files, **decided)


def title(release: "Release") -> str:
    """Return the name of the release as a data set."""
    return f"cqia-{release.name}"


def moment(release: "Release") -> str:
    """Return the time of the cut, the only time in a release."""
    return release.cut_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if release.cut_at else ""


def reasons(held_back: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return the numbers held back by reason, from those by source and reason."""
    total: Counter[str] = Counter()
    for counts in held_back.values():
        total.update(counts)
    return dict(sorted(total.items()))


def placed(path: str) -> tuple[str, str]:
    """Return source and split of a file of records by its path; the split is empty when there is none."""
    source, *rest = path.rpartition("/")[2].split(".")
    split = rest[0] if rest and NAME.fullmatch(rest[0]) else ""
    return source, split


def of_form(paths: Collection[str], form: str) -> list[str]:
    """Return those of the paths that hold one form, in order."""
    writer = WRITERS[form]
    return sorted(path for path in paths if path.startswith(f"{writer.folder}/") and writer.ending in path)
