"""Each constraint and trigger of releases, broken on purpose."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from exports.models import Artifact, Delivery, Download, Event, Mix, Policy, Release, ReleasePart, ReleaseRow, Webhook
from exports.policies import SHIPPED, load_policies
from review.models import Decision, Licence, Record, Rights, Takedown, TakedownStep, User
from tests.exports.conftest import Approved, built, cut, policy
from tests.factories import approve, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]
HASH = "0" * 64
UNSAFE = ("", ".x", "x.", "a/b", "a\\b", "a b", "..", "v1..2", "x" * 65, "版本", "-x", "v\n")


def release(**fields: Any) -> Release:
    values = {"version": "v9", "policy": policy(), "is_internal": False, "licences": ["MIT"], "app_version": "1"}
    return Release.objects.create(**values | fields)


def artifact(of: Release, **fields: Any) -> Artifact:
    values = {"path": "data/x.jsonl", "bytes": 1, "sha256": HASH}
    return Artifact.objects.create(release=of, **values | fields)


def set_state(of: Release, state: str, **fields: Any) -> None:
    with transaction.atomic():
        Release.objects.filter(pk=of.pk).update(state=state, **fields)


def webhook(**fields: Any) -> Webhook:
    by, _created = User.objects.get_or_create(username="gao")
    said = {"kinds": ["release.published"]} | fields
    return Webhook.objects.create(address="https://a.example/", salt="x", by=by, **said)


def event(**fields: Any) -> Event:
    return Event.objects.create(kind="release.published", body="{}", **fields)


def deliver(**fields: Any) -> None:
    said = {"webhook": webhook(), "event": event()} | fields
    for _ in range(2):
        Delivery.objects.create(**said)


def part(**fields: Any) -> None:
    said = {"slug": "mba", "after": 0, "upto": 1, "release": Release.objects.first() or release()} | fields
    ReleasePart.objects.create(**said)


def twice_taken_down() -> None:
    takedown = Takedown.objects.create(requester="x", ground="x", received_on="2024-01-01")
    step = TakedownStep.objects.create(takedown=takedown, state="confirmed", matches=1, sha256=bytes(32))
    for _ in range(2):
        event(takedown_step=step)


def twice_published() -> None:
    of = release()
    for _ in range(2):
        event(release=of)


BREACHES: dict[str, Callable[[], object]] = {
    "exports_policy_slug": lambda: Policy.objects.create(slug="open", licences=["MIT"]),
    "exports_policy_licences_known": lambda: Policy.objects.create(slug="x", licences=["WTFPL"]),
    "exports_policy_nothing_forbidden": lambda: Policy.objects.create(slug="x", licences=["MIT", "objected"]),
    "exports_policy_unknown_only_internal": lambda: Policy.objects.create(slug="x", licences=["unknown"]),
    "exports_download_door_known": lambda: Download.objects.create(path="x", door="hole", by=webhook().by),
    "exports_webhook_kinds_known": lambda: webhook(kinds=["everything"]),
    "exports_event_once_a_release": twice_published,
    "exports_event_once_a_takedown": twice_taken_down,
    "exports_delivery_once": deliver,
    "exports_delivery_state_known": lambda: deliver(state="lost"),
    "exports_releasepart_once": lambda: [part() for _ in range(2)],
    "exports_releasepart_rows": lambda: part(after=2, upto=1),
    "exports_mix_slug": lambda: [Mix.objects.create(slug="x") for _ in range(2)],
    "exports_release_version": lambda: [release() for _ in range(2)],
    "exports_release_name": lambda: [release(version=version) for version in ("v1", "V1")],
    "exports_release_version_safe": lambda: release(version="../x"),
    "exports_release_marked_only_internal": lambda: release(version="v1-internal"),
    "exports_release_licences_known": lambda: release(licences=[]),
    "exports_release_nothing_forbidden": lambda: release(licences=["restricted"], is_internal=True),
    "exports_release_unknown_only_internal": lambda: release(licences=["unknown"]),
    "exports_release_internal_never_published": lambda: set_state(built(slug="internal"), Release.State.PUBLISHED),
    "exports_release_cut_has_moment": lambda: set_state(release(), Release.State.CUT),
    "exports_release_built_has_proof": lambda: set_state(cut(), Release.State.BUILT),
    "exports_artifact_path_once": lambda: [artifact(of) for of in [release()] for _ in range(2)],
    "exports_artifact_path_safe": lambda: artifact(release(), path="data/../../x"),
    "exports_artifact_sha256_whole": lambda: artifact(release(), sha256="abc"),
}


@pytest.mark.parametrize("name", sorted(BREACHES))
def test_break_constraint_is_refused_by_name(name: str) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        BREACHES[name]()


@pytest.mark.parametrize("version", UNSAFE)
def test_name_release_unsafely_is_refused(version: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        release(version=version)


@pytest.mark.parametrize("licence", sorted(Licence.never_leaving()))
def test_write_policy_with_forbidden_licence_is_refused_even_internally(licence: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.filter(slug="internal").update(licences=["MIT", licence])


def test_migrate_again_leaves_edited_policies_alone() -> None:
    Policy.objects.filter(slug="open").update(licences=["MIT"])
    assert load_policies() == 0
    assert policy("open").licences == ["MIT"]
    assert Policy.objects.count() == len(SHIPPED)


@pytest.mark.parametrize(
    ("version", "slug", "name"),
    [("v1", "research", "v1"), ("v1", "internal", "v1-internal"), ("v1-internal", "internal", "v1-internal")],
)
def test_name_of_release_says_that_it_is_internal(version: str, slug: str, name: str) -> None:
    assert cut(version, slug).name == name


@pytest.mark.parametrize(
    "change",
    [
        {"version": "v2"},
        {"licences": ["MIT"]},
        {"options": {}},
        {"records": 0},
        {"held_back": {"x": 1}},
        {"sources": []},
        {"cut_at": None},
        {"is_internal": True},
        {"app_version": "9"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_change_what_the_cut_froze_is_refused(approved: Approved, change: dict[str, Any]) -> None:
    approved()
    frozen = cut()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Release.objects.filter(pk=frozen.pk).update(**change)


def test_change_proof_of_built_release_is_refused(approved: Approved) -> None:
    approved()
    release = built()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Release.objects.filter(pk=release.pk).update(manifest_sha256=HASH)


@pytest.mark.parametrize("state", ["planned", "cut", "failed"])
def test_move_built_release_backwards_is_refused(approved: Approved, state: str) -> None:
    approved()
    with pytest.raises(DatabaseError, match="Invalid transition"):
        set_state(built(), state)


def test_publish_and_withdraw_release(approved: Approved) -> None:
    approved()
    release = built()
    set_state(release, Release.State.PUBLISHED)
    set_state(release, Release.State.WITHDRAWN, withdrawn_at=timezone.now(), reason="x")
    release.refresh_from_db()
    assert release.state == Release.State.WITHDRAWN


def test_withdraw_release_without_a_reason_is_refused(approved: Approved) -> None:
    approved()
    with pytest.raises(IntegrityError, match="exports_release_withdrawn_for_a_reason"):
        set_state(built(), Release.State.WITHDRAWN)


def test_begin_release_in_a_later_state_is_refused() -> None:
    with pytest.raises(DatabaseError, match="Cannot insert"), transaction.atomic():
        release(state="published")


@pytest.mark.parametrize("model", [Release, ReleaseRow, Artifact])
def test_delete_anything_of_a_release_is_refused(approved: Approved, model: type[Any]) -> None:
    approved()
    built()
    with pytest.raises(DatabaseError), transaction.atomic():
        model.objects.all()._raw_delete("default")


@pytest.mark.parametrize("model", [ReleaseRow, Artifact])
def test_change_rows_and_files_of_a_release_is_refused(approved: Approved, model: type[Any]) -> None:
    approved()
    built()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.update(release=0)


def add_row(to: Release, of: Record, decision: Decision, **fields: Any) -> ReleaseRow:
    values = {"position": 9, "record": of, "revision_id": decision.revision_id, "verdict": decision}
    return ReleaseRow.objects.create(release=to, **values | fields)


def test_add_row_to_release_that_is_cut_is_refused(approved: Approved, lin: User) -> None:
    approved()
    given = record()
    decision = approve(given, lin)
    with pytest.raises(DatabaseError, match="only texts that a decision approved"), transaction.atomic():
        add_row(cut(), given, decision)


@pytest.mark.parametrize("forged", ["revision", "verdict", "record", "licence", "unknown rights", "no such rights"])
def test_add_forged_row_is_refused(approved: Approved, lin: User, forged: str) -> None:
    batch = approved(2)
    one, other = Record.objects.filter(batch=batch).order_by("pk")
    planned = release(licences=["MIT"] if forged == "licence" else ["CC-BY-4.0"])
    assert one.verdict is not None
    row: dict[str, Any] = {"rights": batch.rights}
    forgeries: dict[str, dict[str, Any]] = {
        "revision": {"revision_id": other.revision_id},
        "verdict": {"verdict_id": other.verdict_id},
        "record": {"record": other},
        "unknown rights": {"rights": None},
        "no such rights": {"rights_id": 0},
        "licence": {},
    }
    with pytest.raises(DatabaseError, match="only texts that a decision approved"), transaction.atomic():
        add_row(planned, one, one.verdict, **row | forgeries[forged])


def test_add_row_twice_is_refused(approved: Approved) -> None:
    batch = approved(1)
    one = Record.objects.get(batch=batch)
    planned = release(licences=["CC-BY-4.0"])
    assert one.verdict is not None
    add_row(planned, one, one.verdict, rights=batch.rights)
    for position, constraint in ((9, "exports_releaserow_"), (10, "exports_releaserow_record_once")):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            add_row(planned, one, one.verdict, rights=batch.rights, position=position)


def test_every_constraint_is_broken_by_a_test() -> None:
    """Those on rows are broken above, one on the state is: the moves do not let an unknown word in."""
    elsewhere = {"exports_releaserow_position", "exports_releaserow_record_once", "exports_release_state_known"}
    elsewhere |= {"exports_release_withdrawn_for_a_reason"}
    named = {
        constraint.name
        for model in (Policy, Release, ReleasePart, ReleaseRow, Artifact, Mix, Download, Webhook, Event, Delivery)
        for constraint in model._meta.constraints
    }
    assert named == elsewhere | set(BREACHES)


def test_write_unknown_state_is_refused() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        set_state(release(), "gone")


def test_truncate_is_refused_without_leave(approved: Approved) -> None:
    approved()
    built()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL cqia.allow_truncate = off")
        with pytest.raises(DatabaseError, match="append-only"):
            cursor.execute("TRUNCATE exports_releaserow")
        transaction.set_rollback(True)


def test_suspended_release_is_told_by_one_query(
    approved: Approved, django_assert_num_queries: Callable[[int], Any]
) -> None:
    batch = approved()
    built()
    built("v2", sources=("mba",))
    takedown = Takedown.objects.create(requester="某人", ground="著作权", received_on="2024-01-01")
    assert Rights.objects.count() == 1
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('cqia.cause', 'take_down', true)")
        Record.objects.filter(batch=batch).update(takedown=takedown)
    with django_assert_num_queries(1):
        found = {release.version: release.is_suspended for release in Release.objects.available().with_suspended()}
    assert found == {"v1": True, "v2": False}
