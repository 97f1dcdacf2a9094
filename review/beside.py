"""What lies beside a record, asked for at once each time one comes to lie before a person."""

from typing import TYPE_CHECKING, NamedTuple

from review import access
from review.prepared import answer

if TYPE_CHECKING:
    from review.models import Record, User


class Beside(NamedTuple):
    """How many comments and near-duplicates there are, and what is known of how it came in."""

    comments: int = 0
    near: int = 0
    claimed_human_verified: bool | None = None
    claimed_copyright: str | None = None
    repairs: list[str] | None = None
    """The rules that mended the text as it came in."""
    score: float | None = None
    scorer: str | None = None
    """Who was asked for the quality score as it came in; None where nobody was."""
    unscored: str | None = None
    """Why there is no score although somebody was asked."""
    has_draft: bool = False
    """Whether the person has typed something there that they have not decided."""
    skipped: str | None = None
    """Why the person put it aside; None where they did not, or did not say."""


_STATEMENT = """
    SELECT (SELECT count(*) FROM review_comment c JOIN review_record r ON r.id = c.record_id
            WHERE c.record_id = %(record)s AND (c.by_id = %(me)s OR c.round < r.round
                OR NOT (r.state = 'second' OR r.state = 'disputed' AND NOT %(settles)s OR EXISTS (
                    SELECT 1 FROM review_claim g
                    WHERE g.record_id = r.id AND g.reviewer_id = %(me)s AND g.purpose = 'gold')))),
           (SELECT count(*) FROM review_nearduplicate WHERE record_id = %(record)s OR other_id = %(record)s),
           o.claimed_human_verified, o.claimed_copyright, o.repairs, s.value, s.scorer, s.unscored,
           EXISTS (SELECT 1 FROM review_draft WHERE record_id = %(record)s AND reviewer_id = %(me)s),
           (SELECT reason FROM review_skip WHERE record_id = %(record)s AND reviewer_id = %(me)s)
    FROM (VALUES (1)) one LEFT JOIN LATERAL (
        SELECT claimed_human_verified, claimed_copyright, repairs FROM review_original
        WHERE record_id = %(record)s ORDER BY id DESC LIMIT 1
    ) o ON true LEFT JOIN review_score s ON s.record_id = %(record)s
"""


def beside(record: "Record", *, by: "User") -> Beside:
    """Return what lies beside the record for this person: of the comments those that `comments.comments_for` gives."""
    given = {"record": record.pk, "me": by.pk, "settles": access.can_settle(by)}
    found = answer(_STATEMENT, given)
    return Beside(*found) if found else Beside()
