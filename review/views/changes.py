"""The history of what managers set up: what was changed, by whom, from where."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from pghistory.models import Event, Events

from review.models import Source, User
from review.models.tracking import ADDED, CHANGED, REMOVED
from review.views.answers import Request, for_managers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.utils.functional import Promise

PAGE = 50
LONGEST = 200
DONE = {ADDED: _("added"), CHANGED: _("changed"), REMOVED: _("removed")}
KINDS: dict[str, "Promise"] = {
    "source": _("source"),
    "category": _("category"),
    "label": _("label"),
    "person": _("person"),
    "role": _("role"),
    "limit": _("limit to a source"),
    "token": _("token"),
    "policy": _("policy"),
    "mapping": _("mapping"),
    "mix": _("mix"),
}
NAMES = ("slug", "username", "name", "note", "version")


@dataclass(frozen=True, slots=True)
class Change:
    """One event as it is shown: `differences` are (what it is called, before, after)."""

    at: "datetime"
    kind: "Promise | str"
    name: str
    done: "Promise | str"
    by: str
    where: str
    differences: list[tuple[str, str, str]]


@require_safe
@for_managers
def index(request: Request) -> HttpResponse:
    """Show the latest changes first, of one kind or of one thing where that is asked for."""
    models: dict[str, Any] = {cast("Any", model).sealed_as: model for model in apps.get_models() if _is_kept(model)}
    kind = request.GET.get("kind", "")
    chosen = [models[kind]] if kind in models else list(models.values())
    events = cast("Any", Events.objects).across(*chosen).order_by("-pgh_created_at", "-pgh_slug")
    of = request.GET.get("of", "").replace("\0", "") if kind in models else ""
    events = events.filter(pgh_obj_id=of) if of else events
    listed = Paginator(events, PAGE).get_page(request.GET.get("page"))
    kinds = [(name, KINDS.get(name, name)) for name in models]
    context = {"changes": list(_told(listed, models)), "listed": listed, "kinds": kinds, "kind": kind, "of": of}
    return render(request, "review/changes.html", context)


def _is_kept(model: Any) -> bool:  # noqa: ANN401  any model
    return issubclass(model, Event) and hasattr(model, "sealed_as")


def _told(events: Any, models: dict[str, Any]) -> "Iterator[Change]":  # noqa: ANN401  a page
    kinds = {model._meta.label: kind for kind, model in models.items()}
    for event in events:
        kind = kinds[event.pgh_model]
        context = event.pgh_context or {}
        yield Change(
            at=event.pgh_created_at,
            kind=KINDS.get(kind, kind),
            name=_name(kind, event.pgh_data),
            done=DONE.get(event.pgh_label, event.pgh_label),
            by=context.get("name", ""),
            where=" · ".join(filter(None, (context.get("address"), context.get("network")))),
            differences=_differences(event, models[kind].pgh_tracked_model),
        )


def _name(kind: str, data: dict[str, Any]) -> str:
    if kind in {"role", "limit"}:
        person = User.objects.filter(pk=data["user_id"]).values_list("username", flat=True).first()
        named = person or f"{data['user_id']}"
        if kind == "role":
            return f"{named}: {_group(data['group_id'])}"
        return f"{named}: {Source.objects.filter(pk=data['source_id']).values_list('slug', flat=True).first()}"
    return next((str(data[name]) for name in NAMES if data.get(name)), str(data.get("id", "")))


def _group(pk: int) -> str:
    group = apps.get_model("auth", "Group")._default_manager.filter(pk=pk).values_list("name", flat=True).first()
    return str(group)


def _differences(event: Any, model: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401  its model is made at run time
    if event.pgh_label != CHANGED:
        return []
    names = {field.attname: str(field.verbose_name) for field in model._meta.concrete_fields}
    changed = sorted((event.pgh_diff or {}).items())
    return [(names.get(column, column), _short(before), _short(after)) for column, (before, after) in changed]


def _short(value: object) -> str:
    text = "—" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
