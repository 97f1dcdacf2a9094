"""What tests of the pages do as a reviewer's browser does it."""

from html import unescape
from re import DOTALL, search
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from review.forms import LABELS, started_now
from review.models import Record, User
from review.views.desk import shown

HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def address(verb: str, given: Record) -> str:
    return reverse(f"review:record-{verb}" if verb else "review:record", args=[given.pk])


def form(given: Record, verdict: str | None = "approve", **changes: Any) -> dict[str, Any]:
    """All that the page sends for a record, with what was changed there."""
    fields: dict[str, Any] = {
        **shown(given, given.revision),
        "seen_revision": given.revision_id,
        "request_id": uuid4(),
        "started": started_now(given.pk),
        "verdict": verdict,
    }
    fields |= {name: fields[name].split("\n") for name in LABELS}
    return {name: value for name, value in (fields | changes).items() if value is not None}


def reload(given: Record) -> Record:
    return Record.objects.select_related("revision", "verdict", "rights").get(pk=given.pk)


def text_area(page: bytes, name: str) -> str:
    """The text that a browser puts into a text area of the page: it drops one line end at the start."""
    found = search(rf'<textarea id="id_{name}"[^>]*>(.*?)</textarea>', page.decode(), DOTALL)
    assert found
    return unescape(found[1]).removeprefix("\n")
