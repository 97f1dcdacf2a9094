"""Labels under the names that they have now: a label that was merged into another is published as that one."""

from collections.abc import Iterable
from typing import NamedTuple

from review.models import Label

type Aliases = dict[str, dict[str, str]]
"""The labels that are written under another name, and that name, by kind."""


class Named(NamedTuple):
    """A label as it stood at some time."""

    pk: int
    kind: str
    name: str
    alias_of: int | None


def resolved(labels: Iterable[Named]) -> Aliases:
    """Return which labels are written as which others; a chain of aliases is followed to its end."""
    known = {label.pk: label for label in labels}
    found: Aliases = {}
    for label in known.values():
        last, seen = label, {label.pk}
        while last.alias_of in known and last.alias_of not in seen:
            last = known[last.alias_of]
            seen.add(last.pk)
        if last is not label:
            found.setdefault(label.kind, {})[label.name] = last.name
    return found


def current() -> Aliases:
    """Return the names of merged labels now."""
    return resolved(Named(*row) for row in Label.objects.order_by("pk").values_list("pk", "kind", "name", "alias_of"))


def written_as(kind: str, name: str) -> list[str]:
    """Return the labels that are published under this name: itself, and those that were merged into it."""
    return [name, *(label for label, published in current().get(kind, {}).items() if published == name)]
