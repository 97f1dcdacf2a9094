"""Asking for releases: planning, cutting, having them built, placing a copy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.translation import gettext as _

from exports import cutting, storage, tasks
from exports.facts import NOT_IN_MIX, reasons
from exports.models import Policy, Release
from exports.options import CQIA, FORMATS, MAX_NUMBER, Mixture, Options, splits
from exports.policies import DEFAULT
from exports.verify import Checked, check_folder
from exports.writers import COMPRESSIONS
from review import access, depot
from review.models import Source
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from review.models import User


@dataclass(frozen=True, slots=True)
class Plan:
    """What a release cut now would hold, by source, and what it would not, by source and reason."""

    records: dict[str, int]
    held_back: dict[str, dict[str, int]]

    @property
    def total(self) -> int:
        return sum(self.records.values())

    @property
    def reasons(self) -> dict[str, int]:
        return reasons(self.held_back)


def policy_named(slug: str = DEFAULT) -> Policy:
    """Return a policy by its name; refused when there is none."""
    policy = Policy.objects.filter(slug=slug).first()
    if policy is None:
        known = Policy.objects.order_by("slug").values_list("slug", flat=True)
        raise _unknown(_("policy"), slug, known)
    return policy


def options(  # noqa: PLR0913  each is one option of the command
    *,
    sources: "Iterable[str]" = (),
    formats: "Iterable[str]" = (CQIA,),
    mix: object = None,
    split: str = "",
    shard_size: int | None = None,
    compress: str | None = None,
) -> Options:
    """Return the options of a release, each value known; refused where one is not. `mix` is what a mix file says."""
    chosen = Options(
        sources=tuple(sorted(set(sources))),
        formats=tuple(sorted({CQIA, *formats})),
        mix=None if mix is None else Mixture.from_json(mix),
        splits=splits(split),
        shard_size=shard_size,
        compress=compress,
    )
    known = set(Source.objects.values_list("slug", flat=True))
    for slug in [*chosen.sources, *(slug for slug, _cap in (chosen.mix.caps if chosen.mix else ()))]:
        if slug not in known:
            raise _unknown(_("source"), slug, sorted(known))
    for name in chosen.formats:
        if name not in FORMATS:
            raise _unknown(_("format"), name, FORMATS)
    if compress is not None and compress not in COMPRESSIONS:
        raise _unknown(_("compression"), compress, COMPRESSIONS)
    if shard_size is not None and not 1 <= shard_size <= MAX_NUMBER:
        raise Refused(_("A shard holds one record or more."), ground=Ground.INVALID)
    return chosen


def _unknown(kind: str, name: str, known: "Iterable[str]") -> Refused:
    said = {"kind": kind, "name": name, "known": ", ".join(known)}
    return Refused(_("There is no %(kind)s “%(name)s”. There are: %(known)s.") % said, ground=Ground.INVALID)


def plan(*, policy: Policy, options: Options) -> Plan:
    """Count what a release cut now would hold and what it would hold back; nothing is written."""
    held: dict[str, dict[str, int]] = {}
    for row in cutting.held(policy, options.sources).order_by("source__slug", "reason"):
        held.setdefault(row["source__slug"], {})[row["reason"]] = row["number"]
    counted = (
        cutting.releasable(policy, options.sources)
        .values_list("source__slug")
        .annotate(number=Count("pk"))
        .order_by("source__slug")
    )
    records = dict(counted)
    if options.mix:
        for slug, number in counted:
            cap = options.mix.cap(slug)
            if cap is not None and number > cap:
                records[slug] = cap
                held.setdefault(slug, {})[NOT_IN_MIX] = number - cap
    return Plan({slug: number for slug, number in records.items() if number}, held)


def obtain(*, version: str, policy: Policy, options: Options, by: "User | None") -> tuple[Release, bool]:
    """Return the release of this version and whether it was cut just now.

    One that exists is the same again for the same policy and options, and refused for others.
    """
    access.check_cut_release(by)
    cutting.check_version(version)
    existing = Release.objects.select_related("policy").filter(version=version).first()
    if existing is None:
        return cutting.cut(version=version, policy=policy, options=options, by=by), True
    if existing.policy_id != policy.pk or existing.options != options.as_json():
        raise Refused(
            _("Release “%(version)s” exists and was made with other options. Choose another version.")
            % {"version": version}
        )
    if existing.state not in Release.BUILDABLE:
        raise Refused(_("Release “%(version)s” was withdrawn. Choose another version.") % {"version": version})
    return existing, False


def request(*, version: str, policy: Policy, options: Options, by: "User | None") -> Release:
    """Cut a release, or take the same one again, and have a worker build it."""
    release, _is_new = obtain(version=version, policy=policy, options=options, by=by)
    tasks.build_release.delay_on_commit(release.pk)
    return release


def verify(release: Release, *, progress: "Callable[[int, int], object]" = lambda _done, _total: None) -> Checked:
    """Check the kept folder of a release by itself, and against what the database knows of the release."""
    checked = Checked()
    if release.state not in Release.AVAILABLE:
        checked.add([_("it has not been built")])
        return checked
    with depot.whole(storage.folder_of(release)) as folder:
        checked = check_folder(folder, progress=progress)
        checked.add(storage.damages_in(folder, release))
    rows = release.rows.count()
    if not rows == release.records == checked.records:
        numbers = {"rows": rows, "stated": release.records, "found": checked.records}
        said = _("%(found)s records are there; %(stated)s were cut, and %(rows)s of them are on record")
        checked.add([said % numbers])
    taken_down = storage.taken_down(release)
    if taken_down:
        checked.add(
            [_("%(number)s of its records have been taken down since: cut the next one") % {"number": taken_down}]
        )
    return checked
