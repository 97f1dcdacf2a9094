"""The proof query: that `human_verified` is true of exactly what a permitted person approved.

The composite foreign key and the constraints of `Record` make the contrary impossible to commit. This asks all the
same, of the rows themselves, so that a restored, repaired or tampered database tells on itself; and it asks what no
foreign key can: that the decision was not taken back, and that the person was permitted when they decided.
"""

from collections.abc import Iterator
from time import monotonic

from django.db import connection

from review.models import Proof, Record

NAMED = 100
"""As many records are named in a result."""

# A role that was given or taken while history was kept is known from `review_roleevent`; where nothing is known of a
# person's role before the decision, the role that the decision was recorded under speaks for itself.
_UNPROVEN = """
    SELECT r.id FROM review_record r
    LEFT JOIN review_decision d ON d.id = r.verdict_id AND d.record_id = r.id AND d.revision_id = r.revision_id
        AND d.verdict = 'approve' AND (d.kind, d.role) IN (
            ('review', 'reviewer'), ('review', 'settler'), ('review', 'manager'),
            ('settle', 'settler'), ('settle', 'manager')
        )
    LEFT JOIN review_withdrawal w ON w.decision_id = d.id
    LEFT JOIN LATERAL (
        SELECT e.pgh_label FROM review_roleevent e JOIN auth_group g ON g.id = e.group_id
        WHERE e.user_id = d.reviewer_id AND g.name = d.role AND e.pgh_created_at <= d.at
        ORDER BY e.pgh_id DESC LIMIT 1
    ) permitted ON true
    WHERE r.human_verified AND (
        d.id IS NULL OR w.id IS NOT NULL
        OR (permitted.pgh_label = 'removed' AND NOT EXISTS (
            SELECT FROM review_user u WHERE u.id = d.reviewer_id AND u.is_superuser
        ))
    )
    UNION SELECT r.id FROM review_record r
    WHERE r.human_verified IS DISTINCT FROM (r.verdict_id IS NOT NULL)
        OR (r.state = 'approved') IS DISTINCT FROM r.human_verified
    ORDER BY 1
"""


def unproven() -> Iterator[int]:
    """Yield the records that are marked verified and are not, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_UNPROVEN)
        yield from (record for (record,) in cursor.fetchall())


def prove() -> Proof:
    """Run the proof query over every record, and keep what came of it."""
    begun = monotonic()
    records = list(unproven())
    return Proof.objects.create(
        verified=Record.objects.filter(human_verified=True).count(),
        problems=len(records),
        records=records[:NAMED],
        seconds=round(monotonic() - begun, 3),
    )


def latest() -> Proof | None:
    """Return the last result, None when there is none yet."""
    return Proof.objects.order_by("-pk").first()
