"""Two pairs of eyes: which records of a source want more than one decision."""

import secrets
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils.translation import gettext as _

from review import access
from review.models import Draw, Record, Source, State
from review.models.record import UNDECIDED
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User
    from review.text.draw import Looks

MOST_PER_CENT = 100
# In the order of `review.text.draw.rank`: the first eight bytes of sha256(seed + key).
_DRAW = """
    UPDATE review_record SET wanted = %(looks)s
    WHERE wanted < %(looks)s AND state IN ('waiting', 'second', 'unanswered') AND id IN (
        SELECT id FROM review_record
        WHERE source_id = %(source)s AND state IN ('waiting', 'second', 'unanswered')
        AND takedown_id IS NULL AND retraction_id IS NULL
        ORDER BY substr(sha256(convert_to(%(seed)s, 'UTF8') || key), 1, 8), id LIMIT %(number)s
    )
"""


def new_seed() -> str:
    """Return a seed that nobody can guess."""
    return secrets.token_hex(8)


@transaction.atomic
def set_second_looks(*, by: "User", source: Source, share: Decimal, rule: "Looks") -> None:
    """Say which records of a source want more than one decision, from the next import on.

    `share` is a per cent of the records, drawn by `rule.seed`; a seed is made where there is none.
    """
    _check(by, source, share, rule.looks)
    source.second_looks = share
    source.second_looks_seed = rule.seed or source.second_looks_seed or new_seed()
    source.looks = rule.looks
    source.looks_at_flagged = rule.flagged
    source.looks_at_longer_than = rule.longer_than
    source.looks_at_model_written = rule.model_written
    source.save(
        update_fields=[
            "second_looks",
            "second_looks_seed",
            "looks",
            "looks_at_flagged",
            "looks_at_longer_than",
            "looks_at_model_written",
        ]
    )


@transaction.atomic
def want_more(*, by: "User", source: Source, share: Decimal, looks: int = 2, seed: str = "") -> Draw:
    """Ask for `looks` decisions on exactly `share` per cent of what nobody has decided for good, and log the draw.

    Drawn are those that come first by the seed, the source's own unless given. What wants as many already keeps it, so
    the same seed adds to an earlier draw and never makes it smaller. A share of a record is rounded to the nearest.
    """
    _check(by, source, share, looks)
    if not (seed or source.second_looks_seed):
        source.second_looks_seed = new_seed()
        source.save(update_fields=["second_looks_seed"])
    seed = seed or source.second_looks_seed
    undecided = undecided_of(source).count()
    number = int((undecided * share / MOST_PER_CENT).quantize(Decimal(1), ROUND_HALF_UP))
    given: dict[str, int | str] = {"looks": looks, "source": source.pk, "seed": seed, "number": number}
    with connection.cursor() as cursor:
        cursor.execute(_DRAW, given)
    return Draw.objects.create(
        source=source, seed=seed, share=share, looks=looks, undecided=undecided, drawn=number, by=by
    )


def undecided_of(source: Source) -> "QuerySet[Record]":
    """Return the records of a source that still wait for a decision."""
    return Record.objects.live().filter(UNDECIDED, source=source)


def counts(source: Source) -> dict[str, int]:
    """Return how many records of a source wait, how many of them want more looks, and how the doubled ones ended."""
    undecided = undecided_of(source)
    doubled = Record.objects.live().filter(source=source, wanted__gt=1)
    decided = {state.value: doubled.filter(state=state).count() for state in State}
    return {
        "undecided": undecided.count(),
        "wanting": undecided.filter(wanted__gt=1).count(),
        "doubled": sum(decided.values()),
        **decided,
    }


def _check(by: "User", source: Source, share: Decimal, looks: int) -> None:
    access.check_manage(by)
    access.check_source(by, source)
    fields = {}
    if not 0 <= share <= MOST_PER_CENT:
        fields["second_looks"] = _("The share of second looks lies between 0 and 100 per cent.")
    if looks not in {2, 3}:
        fields["looks"] = _("A record that is drawn wants two or three decisions.")
    if fields:
        raise Refused(" ".join(fields.values()), ground=Ground.INVALID, fields=fields)
