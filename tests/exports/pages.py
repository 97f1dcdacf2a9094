"""How tests ask for the pages of releases."""

import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from exports.models import Release
from review import workflow
from review.models import Cause, Record, Takedown, User

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db]

HTMX = {"HX-Request": "true"}
LIST, PLAN, CUT = "/exports/", "/exports/new/", "/exports/new/cut/"
TOKENS, CREATE = "/exports/tokens/", "/exports/tokens/create/"


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def page_of(release: Release) -> str:
    return reverse("exports:release", args=[release.version])


def file_of(release: Release, path: str = "manifest.json") -> str:
    return reverse("exports:file", args=[release.version, path])


def seen(answer: "Answer") -> str:
    """The page as a person reads it: without tags, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def status(client: Client, address: str) -> int:
    """The status of an answer whose file nobody wants to read."""
    answer = client.get(address)
    if answer.streaming:
        content(answer)
    return answer.status_code


def content(answer: "Answer") -> bytes:
    """The bytes of a streamed file, which is closed when it has been read."""
    return b"".join(answer.streaming_content)


def take_down(record: Record) -> None:
    takedown = Takedown.objects.create(requester="某人", ground="著作权", received_on="2024-01-01", state="confirmed")
    workflow.move(Record.objects.filter(pk=record.pk), cause=Cause.TAKE_DOWN, by=None, takedown=takedown)
