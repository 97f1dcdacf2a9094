"""Taking texts down at somebody's request: looked for, looked through, confirmed, and reversible until erased."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from hashlib import sha256
from itertools import batched
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from review import access, tracing, unread, workflow
from review.models import Cause, Claim, Record, Revision, Takedown, TakedownMatch, TakedownStep
from review.models.clock import ClockTimestamp
from review.refused import Ground, Refused
from review.text.signature import duplicate_key

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User
    from review.tracing import Asked

State = Takedown.State
NOTED_AT_ONCE = 1000

SUSPENDED: list[Callable[[Collection[int]], list[str]]] = []
"""What tells the names of the releases that hold any of these records; filled by the neighbour that makes them."""


@transaction.atomic
def request(  # noqa: PLR0913  what a request says
    *,
    by: "User | None",
    requester: str,
    ground: str,
    asked: "Asked",
    reference: str = "",
    received_on: date | None = None,
) -> Takedown:
    """Take a request down in writing, and look for what it means; nothing else happens before it is confirmed."""
    access.check_take_down(by)
    problems = {
        "requester": (requester.strip(), _("Say who asks.")),
        "ground": (ground.strip(), _("Say on what ground.")),
        "asked": (asked.as_json(), _("Say what is meant: an address, an author, an external id, a passage or a list.")),
    }
    missing = {name: message for name, (given, message) in problems.items() if not given}
    if missing:
        raise Refused(" ".join(missing.values()), ground=Ground.INVALID, fields=missing)
    takedown = Takedown.objects.create(
        requester=requester.strip(),
        ground=ground.strip(),
        reference=reference.strip(),
        received_on=received_on or timezone.localdate(),
        request=asked.as_json(),
        by=by,
    )
    _note_matches(takedown, tracing.find(asked), keys=asked.keys)
    _step(takedown, by)
    return takedown


def _note_matches(takedown: Takedown, found: "tracing.Found", *, keys: Sequence[str]) -> None:
    """Write down what was found; keys that no record has are kept all the same, for the next import."""
    records = dict(Record.objects.filter(pk__in=found, takedown=None).values_list("pk", "key"))
    rows = {
        bytes(key): TakedownMatch(takedown=takedown, record_id=pk, key=key, similarity=found[pk])
        for pk, key in records.items()
    }
    for key in map(bytes.fromhex, keys):
        rows.setdefault(key, TakedownMatch(takedown=takedown, key=key))
    TakedownMatch.objects.bulk_create(rows.values(), ignore_conflicts=True)


@transaction.atomic
def choose(takedown: Takedown, *, by: "User | None", included: Collection[int]) -> int:
    """Include exactly these matches (by their ids) and no other; return how many are included now.

    Matches of sources that are not the person's stay as they are.
    """
    access.check_take_down(by)
    _locked(takedown, State.REQUESTED)
    matches = matches_shown(takedown, by)
    matches.exclude(pk__in=included).filter(is_included=True).update(is_included=False)
    matches.filter(pk__in=included, is_included=False).update(is_included=True)
    return takedown.matches.filter(is_included=True).count()


@transaction.atomic
def confirm(takedown: Takedown, *, by: "User | None") -> int:
    """Take down what is included, at once and everywhere; return the number of records.

    Every wording that such a record ever had is forbidden from now on, so that an older file does not bring it back.
    """
    access.check_take_down(by)
    _locked(takedown, State.REQUESTED)
    check_reach(takedown, by)
    if not takedown.matches.filter(is_included=True).exists():
        raise Refused(_("Nothing is included in this takedown. Include at least one text, or close the request."))
    records = Record.objects.filter(takedown=None, pk__in=_included(takedown))
    _forbid_every_wording(takedown, list(records.values_list("pk", flat=True)))
    Claim.objects.filter(record__in=records).delete()
    number = workflow.move(records, cause=Cause.TAKE_DOWN, by=by, takedown=takedown)
    _turn(
        takedown,
        State.CONFIRMED,
        by,
        confirmed_at=ClockTimestamp(),
        erase_after=ClockTimestamp() + settings.TAKEDOWN_ERASE_AFTER,
    )
    return number


def _included(takedown: Takedown) -> "QuerySet[Any, Any]":
    matches: QuerySet[Any, Any] = takedown.matches.filter(is_included=True, record__isnull=False)
    return matches.values("record")


def _forbid_every_wording(takedown: Takedown, records: Collection[int]) -> None:
    wordings = Revision.objects.filter(record__in=records).values_list("record", "instruction", "input", "output")
    rows = [
        TakedownMatch(takedown=takedown, record_id=record, key=duplicate_key(*texts))
        for record, *texts in wordings.iterator(chunk_size=1000)
    ]
    TakedownMatch.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)


@transaction.atomic
def reverse(takedown: Takedown, *, by: "User | None", note: str = "") -> int:
    """Bring back what was taken down, as it was, or close a request that was not confirmed; return the records."""
    access.check_take_down(by)
    _locked(takedown, State.REQUESTED, State.CONFIRMED)
    check_reach(takedown, by)
    back = list(takedown.records.order_by("pk").values_list("pk", flat=True))
    number = workflow.move(takedown.records.all(), cause=Cause.TAKE_DOWN, by=by, takedown=None)
    for part in batched(back, NOTED_AT_ONCE):
        unread.note(list(part))  # what came in meanwhile was not compared with them
    _turn(takedown, State.REVERSED, by, note=note, erase_after=None)
    return number


def _locked(takedown: Takedown, *states: Takedown.State) -> None:
    """Hold the takedown until the transaction ends, and refuse when it is not in one of these states."""
    now = Takedown.objects.select_for_update().get(pk=takedown.pk)
    takedown.state = now.state
    if now.state not in states:
        said = {"number": takedown.pk, "state": now.get_state_display()}
        raise Refused(_("Takedown %(number)s is %(state)s; this can no longer be done.") % said)


def _turn(takedown: Takedown, state: Takedown.State, by: "User | None", *, note: str = "", **values: Any) -> None:
    Takedown.objects.filter(pk=takedown.pk).update(state=state, **values)
    takedown.refresh_from_db()
    _step(takedown, by, note)


def _step(takedown: Takedown, by: "User | None", note: str = "") -> None:
    """Write down what was done, with what vouches for the list as it then was."""
    keys = sorted(bytes(key) for key in takedown.matches.filter(is_included=True).values_list("key", flat=True))
    digest = sha256(b"".join(keys)).digest()
    TakedownStep.objects.create(
        takedown=takedown, state=takedown.state, matches=len(keys), sha256=digest, by=by, note=note
    )


def check_erasable(takedown: Takedown, *, by: "User | None") -> None:
    """Refuse to erase what has not been confirmed, or was brought back, or reaches beyond the person's sources."""
    _locked(takedown, State.CONFIRMED)
    check_reach(takedown, by)


def visible_to(user: "User") -> "QuerySet[Takedown]":
    """Return the takedowns that concern the person's sources, and those that they wrote down themselves."""
    limited_to = access.limited_to(user)
    if not limited_to:
        return Takedown.objects.all()
    theirs = TakedownMatch.objects.filter(takedown=OuterRef("pk"), record__source__in=limited_to)
    return Takedown.objects.filter(Exists(theirs) | Q(by=user))


def matches_shown(takedown: Takedown, by: "User | None") -> "QuerySet[TakedownMatch]":
    """Return the matches that the person may look through: those of their sources, and hashes that nobody has."""
    limited_to = access.limited_to(by) if by else frozenset()
    matches = takedown.matches.all()
    return matches.filter(Q(record=None) | Q(record__source__in=limited_to)) if limited_to else matches


def out_of_reach(takedown: Takedown, by: "User | None") -> int:
    """Return how many texts are included that are of sources which are not the person's."""
    included = takedown.matches.filter(is_included=True)
    return included.count() - matches_shown(takedown, by).filter(is_included=True).count()


def check_reach(takedown: Takedown, by: "User | None") -> None:
    """Refuse what would concern texts that the person may not see."""
    if out_of_reach(takedown, by):
        message = _("This takedown concerns sources that are not yours as well. A manager of all of them decides it.")
        raise Refused(message, ground=Ground.FORBIDDEN)


def forget_passages(takedown: Takedown) -> None:
    """Keep of the passages that a request quotes their hashes alone."""
    said = dict(takedown.request)
    for name in tracing.QUOTED:
        texts = [text for text in said.get(name, ()) if isinstance(text, str)]
        said[name] = [{"sha256": sha256(text.encode()).hexdigest(), "length": len(text)} for text in texts]
    Takedown.objects.filter(pk=takedown.pk).update(request={name: value for name, value in said.items() if value})


def erased(takedown: Takedown, *, by: "User | None") -> None:
    """Write down that the texts are gone, at the end of the transaction that erased them."""
    _turn(takedown, State.ERASED, by, erased_at=ClockTimestamp())


def due() -> "QuerySet[Takedown]":
    """Return the takedowns whose waiting period is over."""
    return Takedown.objects.filter(state=State.CONFIRMED, erase_after__lte=ClockTimestamp()).order_by("pk")


def suspended(takedown: Takedown) -> list[str]:
    """Return the names of the releases that hold texts of this takedown."""
    records = takedown.matches.filter(is_included=True, record__isnull=False).values_list("record", flat=True)
    concerned = set(records)
    return sorted({name for ask in SUSPENDED for name in ask(concerned)}) if concerned else []


def exported(takedowns: "QuerySet[Takedown]", *, by: "User | None" = None) -> Iterator[dict[str, str]]:
    """Yield the list of what is taken down, for another data set: hashes and references, never a text."""
    limited_to = access.limited_to(by) if by else frozenset()
    theirs = Q(record=None) | Q(record__source__in=limited_to) if limited_to else Q()
    in_force = theirs & Q(takedown__state__in=[State.CONFIRMED, State.ERASED], is_included=True, takedown__in=takedowns)
    named = {"reference": F("takedown__reference"), "number": F("takedown"), "on": F("takedown__received_on")}
    matches = TakedownMatch.objects.filter(in_force).annotate(**named).order_by("takedown", "pk")
    for match in matches.values("key", *named).iterator(chunk_size=2000):
        yield {
            "key": bytes(match["key"]).hex(),
            "takedown": str(match["number"]),
            "reference": match["reference"],
            "received_on": match["on"].isoformat(),
        }


def import_list(text: str, *, by: "User | None", requester: str, ground: str, reference: str = "") -> Takedown:
    """Take a list that another data set exported as a request of its own."""
    asked = tracing.Asked().with_list(text)
    return request(by=by, requester=requester, ground=ground, reference=reference, asked=asked)


def receipt(takedown: Takedown) -> dict[str, Any]:
    """Return what a receipt for the requester says: what was asked, what was done and when, and the proof of it."""
    steps = takedown.steps.select_related("by").order_by("pk")
    return {
        "takedown": takedown,
        "steps": list(steps),
        "texts": takedown.matches.filter(is_included=True).count(),
        "records": takedown.records.count(),
        "releases": suspended(takedown),
        "keys": [
            bytes(key).hex()
            for key in takedown.matches.filter(is_included=True)
            .order_by("pk")
            .values_list("key", flat=True)[:RECEIPT_KEYS]
        ],
    }


RECEIPT_KEYS = 200
"""As many hashes are printed; the whole list is exported as a file."""
