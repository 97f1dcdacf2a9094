"""Holding a record for a while, so that no two people work on the same one."""

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from review import access, waiting
from review.deadlocks import retried
from review.models import Claim, Draft, Record, Skip, State
from review.prepared import answer, run
from review.refused import Refused
from review.waiting import Part, Skipped

if TYPE_CHECKING:
    from review.models import User

LEAVING = 20.0
"""Seconds for which a record stays with somebody who left its page: enough to load it again."""
_ATTEMPTS = 20
_PAUSE = 0.005
_EXCLUSIVE = "purpose IN ('review', 'settle')"
_TAKE_OVER = f"""
    ON CONFLICT (record_id) WHERE {_EXCLUSIVE} DO UPDATE SET reviewer_id = EXCLUDED.reviewer_id,
        purpose = EXCLUDED.purpose, token = EXCLUDED.token, lease_until = EXCLUDED.lease_until
    WHERE held.lease_until <= clock_timestamp()
"""
# Looked at record by record, a few from the head of the queue: written so that the planner cannot turn it into a join
# with everything that a person ever decided. What is held at the moment is few, and read once.
_FREE = f"""
    r.takedown_id IS NULL AND r.retraction_id IS NULL
    AND r.id NOT IN (SELECT c.record_id FROM review_claim c WHERE CASE WHEN c.{_EXCLUSIVE}
                     THEN c.lease_until > clock_timestamp() ELSE c.reviewer_id = %(me)s END)
    AND (SELECT d.id FROM review_decision d LEFT JOIN review_withdrawal w ON w.decision_id = d.id
         WHERE d.record_id = r.id AND d.reviewer_id = %(me)s
         AND (d.round = r.round AND w.id IS NULL OR w.kind = 'gold'
              OR d.revision_id = r.revision_id AND d.seen_revision_id <> d.revision_id
              AND r.assignee_id IS DISTINCT FROM %(me)s) LIMIT 1) IS NULL
"""
_SKIPPED = "EXISTS (SELECT 1 FROM review_skip s WHERE s.record_id = r.id AND s.reviewer_id = %(me)s)"
_OF_WORDING = "EXISTS (SELECT 1 FROM review_revision v WHERE v.id = r.revision_id AND {})"
_CURRENT = "f.revision_id = r.revision_id AND f.record_id = r.id"
_AT_RISK = f"EXISTS (SELECT 1 FROM review_flag f WHERE {_CURRENT})"
_NARROWED = {
    "major": _OF_WORDING.format("v.task_type @> jsonb_build_object('major', jsonb_build_array(%(major)s::text))"),
    "minor": _OF_WORDING.format("v.task_type @> jsonb_build_object('minor', jsonb_build_array(%(minor)s::text))"),
    "domain": _OF_WORDING.format("v.domain @> jsonb_build_array(%(domain)s::text)"),
    "shortest": _OF_WORDING.format("char_length(v.output) >= %(shortest)s"),
    "flag": f"EXISTS (SELECT 1 FROM review_flag f WHERE {_CURRENT} AND f.rule = %(flag)s)",
    "longest": _OF_WORDING.format("char_length(v.output) <= %(longest)s"),
}

# Each place where a record may wait has a partial index in the order of the queue; a place is looked into only when
# the places before it gave nothing.
_PLACES = {
    Claim.Purpose.REVIEW: {
        "mine": "r.assignee_id = %(me)s AND r.state IN ('waiting', 'second', 'unanswered')",
        "second": "r.assignee_id IS NULL AND r.state = 'second'",
        "waiting": "r.assignee_id IS NULL AND r.state = 'waiting'",
        "unanswered": "r.assignee_id IS NULL AND r.state = 'unanswered'",
    },
    Claim.Purpose.SETTLE: {"disputed": "r.state = 'disputed'"},
}
_TOGETHER = {Claim.Purpose.REVIEW: [Claim.Purpose.REVIEW, Claim.Purpose.GOLD]}
# About one record in `every` is gold, at moments that hang on the last decision: asking twice gives the same answer,
# and nobody can count them out.
_GOLD = """
    SELECT g.record_id FROM review_gold g JOIN review_record r ON r.id = g.record_id
    WHERE g.retired_at IS NULL AND r.state IN ('approved', 'rejected')
    AND r.takedown_id IS NULL AND r.retraction_id IS NULL
    AND (%(sources)s::bigint[] IS NULL OR r.source_id = ANY(%(sources)s))
    AND NOT EXISTS (SELECT 1 FROM review_decision d WHERE d.record_id = r.id AND d.reviewer_id = %(me)s)
    AND NOT EXISTS (SELECT 1 FROM review_skip s WHERE s.record_id = r.id AND s.reviewer_id = %(me)s)
    AND (SELECT hashint8extended(COALESCE(max(last.id), 0), %(me)s) & 9223372036854775807 FROM (
        SELECT id FROM review_decision WHERE reviewer_id = %(me)s ORDER BY at DESC, id DESC LIMIT 1) last
    ) %% %(every)s = 0
    ORDER BY hashint8extended(g.id, %(me)s) LIMIT 1
"""

_LET_GO = """
    WITH claims AS (DELETE FROM review_claim WHERE record_id = %(record)s AND reviewer_id = %(me)s)
    DELETE FROM review_draft WHERE record_id = %(record)s AND reviewer_id = %(me)s
"""
_HELD = """
    SELECT c.id, c.record_id, c.purpose, c.token, c.lease_until FROM review_claim c
    JOIN review_record r ON r.id = c.record_id JOIN review_source o ON o.id = r.source_id
    WHERE c.reviewer_id = %(me)s AND c.purpose = ANY(%(purposes)s) AND c.lease_until > clock_timestamp()
        AND (%(source)s::bigint IS NULL OR r.source_id = %(source)s)
        AND (%(category)s::bigint IS NULL OR o.category_id = %(category)s)
    ORDER BY c.lease_until DESC, c.id DESC LIMIT 1
"""


def _look(condition: str, *, by_source: bool) -> str:
    locked = "LIMIT 1 FOR UPDATE OF r SKIP LOCKED"
    if not by_source:
        return f"SELECT r.id FROM review_record r WHERE {condition} ORDER BY r.priority DESC, r.id {locked}"
    # One look into each source's own index: a filter over the common one would walk past all other sources' records.
    return f"""
        SELECT q.id FROM unnest(%(sources)s::bigint[]) AS wanted(source) CROSS JOIN LATERAL (
            SELECT r.id, r.priority FROM review_record r
            WHERE r.source_id = wanted.source AND {condition} ORDER BY r.priority * -1, r.id {locked}
        ) q ORDER BY q.priority DESC, q.id LIMIT 1
    """


def _conditions(part: Part) -> str:
    """Return what a record of this part must be, beside waiting."""
    skipped = {Skipped.LEFT_OUT: [f"NOT {_SKIPPED}"], Skipped.ALSO: [], Skipped.ONLY: [_SKIPPED]}[part.skipped]
    narrowed = [condition for name, condition in _NARROWED.items() if getattr(part, name) not in {"", None}]
    return " AND ".join([_FREE, *skipped, *narrowed])


def is_narrowed(part: Part) -> bool:
    """Tell whether more is asked of a record than to wait in certain sources."""
    return any(getattr(part, name) not in {"", None} for name in _NARROWED)


def _statement(part: Part, *, by_source: bool) -> str:
    """Return the one statement that finds the next free record and claims it.

    It gives no row when nothing waits, and a row without a token when somebody claimed the record in between. `alone`
    in a transaction, it does not wait for the disk: a claim that a crash of the server forgets is one that has ended.
    """
    conditions = _conditions(part)
    kinds = {"risky": f"{_AT_RISK} AND ", "other": ""} if part.risk_first else {"any": ""}
    places = {
        f"{kind}_{name}": _look(f"{place} AND {more}{conditions}", by_source=by_source)
        for kind, more in kinds.items()
        for name, place in _PLACES[part.purpose].items()
    }
    looks = ", ".join(f"{name} AS ({query})" for name, query in places.items())
    union = " UNION ALL ".join(f"SELECT id FROM {name}" for name in places)
    return f"""
        WITH {looks}, pick AS (SELECT id FROM ({union}) places LIMIT 1), taken AS (
            INSERT INTO review_claim AS held (record_id, reviewer_id, purpose, token, lease_until)
            SELECT id, %(me)s, %(purpose)s, %(token)s, clock_timestamp() + make_interval(secs => %(lease)s) FROM pick
            {_TAKE_OVER}
            RETURNING id, token, lease_until
        )
        SELECT pick.id, taken.id, taken.lease_until,
            CASE WHEN %(alone)s THEN set_config('synchronous_commit', 'off', true) END
        FROM pick LEFT JOIN taken ON true
    """


def claim_next(*, by: "User", part: Part = Part()) -> Claim | None:  # noqa: B008  frozen
    """Claim the next record of the part for the person, or go on with the one they hold; None when nothing waits."""
    (access.check_settle if part.purpose == Claim.Purpose.SETTLE else access.check_review)(by)
    if held := held_claim(by=by, part=part):
        return held
    sources = part.sources(by)
    gold = _gold_due(by, sources) if part.purpose == Claim.Purpose.REVIEW and not is_narrowed(part) else None
    if gold is not None and waiting.outlook(by=by, part=part).is_free:
        return claim_gold(by=by, record=gold)
    statement = _statement(part, by_source=sources is not None)
    narrowed = {name: getattr(part, name) for name in _NARROWED}
    given: dict[str, Any] = narrowed | {"me": by.pk, "purpose": part.purpose, "lease": _lease(), "sources": sources}
    given["alone"] = not connection.in_atomic_block
    is_common = not is_narrowed(part)  # else the best plan depends on the values
    for _attempt in range(_ATTEMPTS):
        token = uuid4()
        row = answer(statement, given | {"token": token}, prepare=is_common)
        if row is None:
            if held := held_claim(by=by, part=part):  # by another request of the same person, in this moment
                return held
            if not waiting.outlook(by=by, part=part).is_free:
                return None
            time.sleep(_PAUSE)  # what is free is locked by somebody who may yet leave it
            continue
        record, pk, lease_until, _commit = row
        if pk is not None:
            return Claim(
                pk=pk, record_id=record, reviewer=by, purpose=part.purpose, token=token, lease_until=lease_until
            )
    return None


def _gold_due(by: "User", sources: list[int] | None) -> int | None:
    """Return the gold record that the person is to be given now, which looks to them like any other."""
    if not settings.GOLD_EVERY:
        return None
    row = answer(_GOLD, {"me": by.pk, "sources": sources, "every": settings.GOLD_EVERY})
    return int(row[0]) if row else None


def claim_gold(*, by: "User", record: int) -> Claim:
    """Put a gold record before the person; any number of people may have it before them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO review_claim (record_id, reviewer_id, purpose, token, lease_until)"
            " VALUES (%(record)s, %(me)s, 'gold', %(token)s, clock_timestamp() + make_interval(secs => %(lease)s))"
            " ON CONFLICT (record_id, reviewer_id) DO UPDATE SET lease_until = EXCLUDED.lease_until RETURNING id",
            {"record": record, "me": by.pk, "token": uuid4(), "lease": _lease()},
        )
        (pk,) = cursor.fetchone()
    return Claim.objects.select_related("record").get(pk=pk)


def held_claim(*, by: "User", part: Part = Part()) -> Claim | None:  # noqa: B008  frozen
    """Return the claim that the person holds in the sources of the part, without its record."""
    purposes = [str(purpose) for purpose in _TOGETHER.get(part.purpose, [part.purpose])]
    given = {"me": by.pk, "purposes": purposes, "source": part.source, "category": part.category}
    row = answer(_HELD, given)
    if row is None:
        return None
    pk, record, purpose, token, lease_until = row
    return Claim(pk=pk, record_id=record, reviewer=by, purpose=purpose, token=token, lease_until=lease_until)


def _lease() -> float:
    return settings.CLAIM_LEASE.total_seconds()


def current_claim(*, by: "User", purpose: Claim.Purpose = Claim.Purpose.REVIEW) -> Claim | None:
    """Return the claim that the person holds and whose lease has not ended."""
    return (
        Claim.objects.filter(reviewer=by, purpose__in=_TOGETHER.get(purpose, [purpose]))
        .extra(where=["lease_until > clock_timestamp()"])
        .select_related("record")
        .order_by("-lease_until", "-pk")
        .first()
    )


@retried
@transaction.atomic
def claim_record(*, by: "User", record: Record) -> Claim:
    """Claim this very record (to go on after an undo, or from a link); refused while somebody else holds it."""
    is_disputed = Record.objects.filter(pk=record.pk, state=State.DISPUTED).exists()  # `record` may hide it
    is_settler = is_disputed and access.can_settle(by)
    (access.check_settle if is_settler else access.check_review)(by)
    access.check_source(by, record.source)
    if record.state in {State.APPROVED, State.REJECTED} or record.takedown_id or record.retraction_id:
        raise Refused(_("There is nothing left to decide on this record."))
    if is_disputed is not is_settler:
        raise Refused(_("Somebody else holds this record."))  # and not why: that is for settlers to know
    purpose = Claim.Purpose.SETTLE if is_settler else Claim.Purpose.REVIEW
    statement = f"""
        INSERT INTO review_claim AS held (record_id, reviewer_id, purpose, token, lease_until)
        VALUES (%(record)s, %(me)s, %(purpose)s, %(token)s, clock_timestamp() + make_interval(secs => %(lease)s))
        {_TAKE_OVER} OR held.reviewer_id = %(me)s
        RETURNING id
    """
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {"record": record.pk, "me": by.pk, "purpose": purpose, "token": uuid4(), "lease": _lease()},
        )
        row = cursor.fetchone()
    if row is None:
        raise Refused(_("Somebody else holds this record."))
    return Claim.objects.select_related("record").get(pk=row[0])


def extend_claim(*, by: "User", token: UUID) -> bool:
    """Lengthen the lease of a claim that is still the person's; False when it is not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE review_claim SET lease_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE token = %s AND reviewer_id = %s",
            [_lease(), token, by.pk],
        )
        return bool(cursor.rowcount == 1)


def leave_claim(*, by: "User", token: UUID) -> bool:
    """Let the lease of the person's claim end in a moment: they closed the page. Whoever comes back extends it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE review_claim SET lease_until = LEAST(lease_until, clock_timestamp() + make_interval(secs => %s))"
            " WHERE token = %s AND reviewer_id = %s",
            [LEAVING, token, by.pk],
        )
        return bool(cursor.rowcount == 1)


def free_record(*, by: "User", record: Record) -> bool:
    """Take a record from whoever holds it and give it back to the queue; what they typed stays as their draft."""
    access.check_manage(by)
    access.check_source(by, record.source)
    deleted, _rows = Claim.objects.filter(record=record, purpose__in=["review", "settle"]).delete()
    return bool(deleted)


def release_claim(*, by: "User", record: int) -> bool:
    """Give a record back to the queue; what was typed stays as the person's draft."""
    deleted, _rows = Claim.objects.filter(reviewer=by, record=record).delete()
    return bool(deleted)


@transaction.atomic
def skip_record(*, by: "User", record: int, reason: str = "") -> None:
    """Put a record aside: others may take it, and it comes back to the person when they ask for what they skipped."""
    access.check_review(by)
    release_claim(by=by, record=record)
    Skip.objects.update_or_create(record_id=record, reviewer=by, defaults={"reason": reason})


def let_go(*, by: "User", record: int) -> None:
    """End the person's claim on a record and forget their draft: it is decided."""
    run(_LET_GO, {"record": record, "me": by.pk})


def save_draft(*, by: "User", record: int, seen_revision: int, fields: dict[str, str]) -> None:
    """Keep what the person has typed so far."""
    Draft.objects.update_or_create(
        record_id=record, reviewer=by, defaults={"seen_revision_id": seen_revision, "fields": fields}
    )


def add_to_draft(*, by: "User", record: Record, **fields: str) -> None:
    """Put some fields into what the person has typed so far of a record."""
    draft = Draft.objects.filter(record=record, reviewer=by).first()
    seen, typed = (draft.seen_revision_id, draft.fields) if draft else (record.revision_id, {})
    save_draft(by=by, record=record.pk, seen_revision=seen, fields=typed | fields)


def drop_draft(*, by: "User", record: int) -> None:
    """Forget what the person had typed: they took it all back themselves."""
    Draft.objects.filter(record=record, reviewer=by).delete()
