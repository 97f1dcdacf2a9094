"""Many approved records at once, for tests of what is done to them."""

from uuid import uuid4

from django.db import connection

from review.models import Decision, Record, User, Verdict
from tests.factories import add_records, candidate


def approved(number: int, reviewers: list[User]) -> list[int]:
    """Approve records straight in the database, as `decide` leaves them: the many are not what is tested."""
    batch = add_records("ruozhiba", [candidate() for _ in range(number)], licence="CC0-1.0")
    chosen = list(Record.objects.filter(batch=batch).order_by("pk").values_list("pk", "revision"))
    made = Decision.objects.bulk_create(
        [
            Decision(
                record_id=pk,
                revision_id=revision,
                seen_revision_id=revision,
                reviewer=reviewers[place % len(reviewers)],
                role="reviewer",
                verdict=Verdict.APPROVE,
                rights_said="confirm",
                round=1,
                request_id=uuid4(),
            )
            for place, (pk, revision) in enumerate(chosen)
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('cqia.cause', 'decide', true), set_config('cqia.by', '', true)")
        cursor.execute(
            "UPDATE review_record r SET state = 'approved', verdict_id = d.id FROM review_decision d"
            " WHERE d.record_id = r.id AND d.id = ANY(%s)",
            [[decision.pk for decision in made]],
        )
    return [pk for pk, _revision in chosen]
