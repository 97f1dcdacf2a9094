"""What managers change for many records at once, as the sealed history has it: policies, and the names of labels."""

from bisect import bisect_right
from typing import Any, NamedTuple

from django.db import connection

from exports.aliases import Aliases, Named, resolved
from exports.models import Policy
from review.models import Licence

_POLICY = """
    SELECT seal.no, event.licences, event.holds_back_flags FROM exports_policyevent event
    JOIN review_seal seal ON seal.kind = 'policy' AND seal.row = event.pgh_id
    WHERE event.id = %s AND event.pgh_label <> 'removed' AND seal.no <= %s ORDER BY seal.no
"""
_LABELS = """
    SELECT seal.no, event.pgh_label, event.id, event.kind, event.name, event.alias_of_id FROM review_labelevent event
    JOIN review_seal seal ON seal.kind = 'label' AND seal.row = event.pgh_id
    WHERE seal.no <= %s ORDER BY seal.no
"""


class Gate(NamedTuple):
    """What a policy let leave at some time."""

    licences: frozenset[str]
    flags: frozenset[str]


class Gates:
    """A policy through the history: what it let leave from which seal on. Before the first that is known, the same."""

    def __init__(self, policy: Policy, upto: int) -> None:
        rows = _rows(_POLICY, [policy.pk, upto]) or [(0, policy.licences, policy.holds_back_flags)]
        self._numbers = [no for no, _licences, _flags in rows]
        self._gates = [
            Gate(frozenset(licences) - Licence.never_leaving(), frozenset(flags)) for _no, licences, flags in rows
        ]

    def at(self, no: int) -> Gate:
        """Return what the policy lets leave once seal `no` is set."""
        return self._gates[max(bisect_right(self._numbers, no) - 1, 0)]

    @property
    def turns(self) -> list[int]:
        """The seals by which what may leave changed."""
        pairs = zip(self._numbers[1:], self._gates, self._gates[1:], strict=False)
        return [no for no, before, now in pairs if before != now]

    @property
    def heeded(self) -> frozenset[str]:
        """All flags that ever held anything back."""
        return frozenset().union(*(gate.flags for gate in self._gates))


def renamed(upto: int) -> dict[int, Aliases]:
    """Return, by seal, the labels that are published under another name since: by kind, with the new name."""
    labels: dict[int, Named] = {}
    published: dict[tuple[str, str], str] = {}
    found: dict[int, Aliases] = {}
    for no, event, pk, kind, name, alias_of in _rows(_LABELS, [upto]):
        labels.pop(pk, None)
        if event != "removed":
            labels[pk] = Named(pk, kind, name, alias_of)
        if alias_of is None and not published:
            continue  # no label is merged yet
        now = {(of, label): to for of, names in resolved(labels.values()).items() for label, to in names.items()}
        changed = {key for key in now.keys() | published.keys() if now.get(key, key[1]) != published.get(key, key[1])}
        for of, label in sorted(changed):
            found.setdefault(no, {}).setdefault(of, {})[label] = now.get((of, label), label)
        published = now
    return found


def _rows(sql: str, said: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, said)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
