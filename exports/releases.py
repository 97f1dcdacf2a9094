"""Asking for releases: planning, cutting, having them built, placing a copy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.translation import gettext as _

from exports import cutting, storage, tasks
from exports.cutting import FORMATS, Options
from exports.facts import reasons
from exports.models import Policy, Release
from exports.policies import DEFAULT
from exports.verify import Checked, check_folder
from review import access
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


def options(*, sources: "Iterable[str]" = (), formats: "Iterable[str]" = FORMATS) -> Options:
    """Return the options of a release, each value known; refused where one is not."""
    chosen = Options(tuple(sorted(set(sources))), tuple(sorted(set(formats))))
    known = set(Source.objects.values_list("slug", flat=True))
    for slug in chosen.sources:
        if slug not in known:
            raise _unknown(_("source"), slug, sorted(known))
    for name in chosen.formats:
        if name not in FORMATS:
            raise _unknown(_("format"), name, FORMATS)
    return chosen


def _unknown(kind: str, name: str, known: "Iterable[str]") -> Refused:
    said = {"kind": kind, "name": name, "known": ", ".join(known)}
    return Refused(_("There is no %(kind)s “%(name)s”. There are: %(known)s.") % said, ground=Ground.INVALID)


def plan(*, policy: Policy, options: Options) -> Plan:
    """Count what a release cut now would hold and what it would hold back; nothing is written."""
    held: dict[str, dict[str, int]] = {}
    for row in cutting.held(policy.licences, options.sources).order_by("source__slug", "reason"):
        held.setdefault(row["source__slug"], {})[row["reason"]] = row["number"]
    counted = (
        cutting.releasable(policy.licences, options.sources)
        .values_list("source__slug")
        .annotate(number=Count("pk"))
        .order_by("source__slug")
    )
    return Plan(dict(counted), held)


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
    checked = check_folder(storage.folder_of(release), progress=progress)
    checked.add(storage.damages(release))
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
