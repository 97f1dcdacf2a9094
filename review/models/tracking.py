"""The history of what managers set up: each change is a row, written by the database in its transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pghistory
from django.db import models

from review.models.triggers import ToBeSealed, append_only

if TYPE_CHECKING:
    import pgtrigger

ADDED, CHANGED, REMOVED = "added", "changed", "removed"


def tracked[M: models.Model](kind: str, *, exclude: tuple[str, ...] = ()) -> Callable[[type[M]], type[M]]:
    """Have every change of a model's rows kept and sealed under the name `kind`, but for the columns in `exclude`.

    With each change stands who made it and from where, as `pghistory.context` was told; nothing where the machine's
    own commands made it. An event refers to nothing that could be deleted under it.
    """
    decorate: Callable[[type[M]], type[M]] = pghistory.track(
        pghistory.InsertEvent(ADDED),
        pghistory.UpdateEvent(CHANGED),
        pghistory.DeleteEvent(REMOVED),
        exclude=list(exclude) or None,
        **_kept(kind),
    )
    return decorate


def links_tracked[M: models.Model](kind: str, *, model_name: str) -> Callable[[type[M]], type[M]]:
    """Do the same for a table that links two others: such a row comes and goes, and never changes."""
    decorate: Callable[[type[M]], type[M]] = pghistory.track(
        pghistory.InsertEvent(ADDED),
        pghistory.DeleteEvent(REMOVED),
        obj_field=cast("Any", None),
        model_name=model_name,
        **_kept(kind),
    )
    return decorate


def _kept(kind: str) -> dict[str, Any]:
    triggers: list[pgtrigger.Trigger] = [
        *append_only(),
        ToBeSealed(name="to_be_sealed", kind=kind, pk="pgh_id"),
    ]
    return {
        "context_field": pghistory.ContextJSONField(),
        "context_id_field": None,
        "attrs": {"sealed_as": kind},
        "meta": {"triggers": triggers},
    }
