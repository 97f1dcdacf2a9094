"""Writing the folder of a release from its frozen rows, in pages, so that it may be stopped and begun again anywhere.

The row of the release in the database is the truth. A builder claims it with a lease and a fencing number; one that has
been overtaken writes nothing more, and its folder is thrown away.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from time import monotonic, sleep
from typing import Self

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from exports import card, changes, croissant, dataset_info, folders, manifest, portions, storage
from exports.facts import CARD, CHANGES, CROISSANT, DATASET_INFO, MANIFEST, Facts, File, SourceFacts, gathered
from exports.models import Artifact, Release
from review import depot
from review.models.clock import ClockTimestamp
from review.refused import Refused

LEASE = timedelta(minutes=2)
HEARTBEAT_SECONDS = 10.0
STAGING = ".building-"
"""A folder that is being written is called so, then by the release's number and something random."""

WORDED: dict[str, Callable[[Release, Facts], str]] = {
    CARD: card.render,
    CHANGES: changes.render,
    DATASET_INFO: dataset_info.render,
}
"""The files that the program words itself, beside those that list the others."""

SHARED_FROM = 50_000
"""Records from which on others are told that there is work."""
WAIT_SECONDS = 0.2

type Tell = Callable[[int, int], object]
"""Called with a release and the number of other workers that would find work."""

type Progress = Callable[[int, int], object]
"""Called with the number of records written, and of all."""


class Busy(Exception):  # noqa: N818  a state, not an error
    """Another process builds this release at this moment, or has taken its build over."""


def build(
    release_id: int, *, progress: Progress = lambda _done, _total: None, tell: Tell = lambda _release, _others: None
) -> Release:
    """See to it that the folder of a release stands, whole and as it was first written, and return the release.

    Raises `Busy` while another process is at it, `Refused` when the release cannot be written, and `OSError` when the
    disk refuses. Nothing is visible under the release's name before all of it is on the disk.
    """
    claim = _Claim.of(release_id)
    try:
        release = Release.objects.select_related("policy").get(pk=release_id)
        _check_not_suspended(release)
        root = storage.folder_of(release).parent
        root.mkdir(parents=True, exist_ok=True)
        with folders.staged(root, STAGING, tag=f"{release.pk}.") as folder:
            try:
                if not storage.is_intact(release):
                    _write(folder, release, claim, progress, tell)
            finally:
                portions.clear(release, folder)
        claim.end()
    except BaseException as error:
        claim.give_up(error)
        raise
    release.refresh_from_db()
    return release


def abandoned() -> "QuerySet[Release]":
    """Return the releases that were cut a while ago and that nobody builds."""
    free = Q(lease_until=None) | Q(lease_until__lt=ClockTimestamp())
    return Release.objects.filter(free, state=Release.State.CUT, cut_at__lt=ClockTimestamp() - LEASE).order_by("pk")


def quarantine(release: Release) -> None:
    """Give up on a release whose builders have all been stopped; asking for it again starts anew."""
    said = _("Building was stopped %(number)d times. Ask for the release again when the cause is known.")
    unchanged = Release.objects.filter(pk=release.pk, fence=release.fence, state=Release.State.CUT)
    unchanged.update(state=Release.State.FAILED, error=said % {"number": release.attempts})


def _check_not_suspended(release: Release) -> None:
    number = storage.taken_down(release)
    if number:
        numbers = ", ".join(map(str, storage.takedowns(release)))
        said = {"number": number, "version": release.version, "takedowns": numbers}
        raise Refused(
            _(
                "%(number)d records of release “%(version)s” have been taken down since it was cut (takedown "
                "%(takedowns)s). Cut the next one."
            )
            % said
        )


def _check_buildable(release: Release) -> None:
    if release.state not in Release.BUILDABLE:
        said = {"version": release.version, "state": release.get_state_display()}
        raise Refused(_("Release “%(version)s” is %(state)s and is not written.") % said)


@dataclass(slots=True)
class _Claim:
    """The right to build a release: good as long as nobody has taken a higher number."""

    release: int
    fence: int
    renewed: float = field(default_factory=monotonic)

    @classmethod
    def of(cls, release_id: int) -> Self:
        """Take the release, unless its builder is alive; a dead one on this machine is known by its folder's lock."""
        free = Q(lease_until=None) | Q(lease_until__lt=ClockTimestamp())
        root = Path(settings.RELEASE_ROOT)
        if not any(folders.is_held(folder) for folder in root.glob(f"{STAGING}{release_id}.*")):
            free |= Q(builder=gethostname())
        with transaction.atomic():
            taken = Release.objects.filter(free, pk=release_id, state__in=Release.BUILDABLE).update(
                fence=F("fence") + 1,
                attempts=F("attempts") + 1,
                lease_until=ClockTimestamp() + LEASE,
                builder=gethostname(),
                error="",
            )
            release = Release.objects.get(pk=release_id)
        if not taken:
            _check_buildable(release)
            raise Busy(release_id)
        return cls(release_id, release.fence)

    def owned(self) -> "QuerySet[Release]":
        return Release.objects.filter(pk=self.release, fence=self.fence)

    def renew(self) -> None:
        """Prolong the lease from time to time; raise `Busy` when somebody else has taken the release."""
        if monotonic() - self.renewed > HEARTBEAT_SECONDS:
            if not self.owned().update(lease_until=ClockTimestamp() + LEASE):
                raise Busy(self.release)
            self.renewed = monotonic()

    def hold(self) -> None:
        """Keep everybody else from taking the release until the transaction ends; raise `Busy` when too late."""
        if self.owned().select_for_update().first() is None:
            raise Busy(self.release)

    def end(self) -> None:
        """Free the release: the work is done."""
        self.owned().update(lease_until=None, attempts=0)

    def give_up(self, error: BaseException) -> None:
        """Free the release and keep the reason; one that has never been built has failed, unless it was stopped."""
        self.owned().update(lease_until=None)
        if isinstance(error, Exception):
            said = str(error) or type(error).__name__
            self.owned().update(error=said)
            self.owned().filter(state=Release.State.CUT).update(state=Release.State.FAILED)


def _write(folder: Path, release: Release, claim: _Claim, progress: Progress, tell: Tell) -> None:
    sources, files = _write_sources(folder, release, claim, progress, tell)
    texts = _texts(release, sources, files)
    files += [_write_text(folder, release, name, text) for name, text in texts.items()]
    with transaction.atomic():
        claim.hold()
        _record(release, files, texts)
        place = storage.folder_of(release)
        folders.place(folder, place, replacing=True)
        depot.keep(*(place / file.path for file in files))
        _mark_built(release, claim)


def _write_sources(
    folder: Path, release: Release, claim: _Claim, progress: Progress, tell: Tell
) -> tuple[list[SourceFacts], list[File]]:
    """Write the files of every source, beside whoever is told that there is work."""
    portions.lay_out(release, folder)
    if release.records >= SHARED_FROM:
        tell(release.pk, len(release.sources) - 1)

    while portions.is_open(release):
        claim.renew()
        part = portions.take(release.pk)
        others = portions.written(release.pk)
        if part:
            report = partial(_report, progress, others, release.records)
            portions.write(part, release, before=claim.renew, after=report)
        else:
            progress(others, release.records)
            sleep(WAIT_SECONDS)
    return portions.gather(release, folder)


def _report(progress: Progress, others: int, total: int, done: int) -> None:
    progress(others + done, total)


def _texts(release: Release, sources: list[SourceFacts], files: list[File]) -> dict[str, str]:
    """Return the files that the program words itself: as they were first worded, else worded now."""
    kept = {path: text for path, text in release.artifacts.values_list("path", "text") if text is not None}
    if kept:
        return kept
    facts = gathered(release, sources, files)
    texts = {name: word(release, facts) for name, word in WORDED.items()}
    listed = [*files, *(_described(name, text.encode()) for name, text in texts.items())]
    texts[CROISSANT] = croissant.render(release, facts, listed)
    listed.append(_described(CROISSANT, texts[CROISSANT].encode()))
    return texts | {MANIFEST: manifest.render(release, facts, listed)}


def _described(path: str, data: bytes) -> File:
    return File(path, None, len(data), sha256(data).hexdigest())


def _write_text(folder: Path, release: Release, name: str, text: str) -> File:
    with folders.Writer(folder / name, storage.moment_of(release)) as writer:
        writer.write(text.encode())
    return File(name, None, writer.bytes, writer.sha256)


def _record(release: Release, files: list[File], texts: dict[str, str]) -> None:
    """Keep what was written; where it was written before, refuse any difference."""
    before = dict(release.artifacts.values_list("path", "sha256"))
    now = {file.path: file.sha256 for file in files}
    if not before:
        Artifact.objects.bulk_create(
            Artifact(release=release, text=texts.get(file.path), **asdict(file)) for file in files
        )
    elif before != now:
        differing = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
        raise Refused(
            _("Release “%(version)s” cannot be written as it was: %(paths)s would differ.")
            % {"version": release.version, "paths": ", ".join(differing)}
        )


def _mark_built(release: Release, claim: _Claim) -> None:
    proof = Artifact.objects.get(release=release, path=MANIFEST).sha256
    unbuilt = claim.owned().filter(state__in=[Release.State.CUT, Release.State.FAILED])
    unbuilt.update(state=Release.State.BUILT, built_at=ClockTimestamp(), manifest_sha256=proof)
