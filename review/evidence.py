"""Files that decisions on rights rest on: kept in the database, hashed and sealed; for managers alone."""

from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Prefetch
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from review import access
from review.models import Evidence, Rights
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import User

MAX_BYTES = 10 << 20
MAX_FILES = 20
"""Files of one decision."""
_MAGIC = {
    b"%PDF-": Evidence.MediaType.PDF,
    b"\x89PNG\r\n\x1a\n": Evidence.MediaType.PNG,
    b"\xff\xd8\xff": Evidence.MediaType.JPEG,
}


LISTED = Prefetch("files", Evidence.objects.exclude(data=b"").defer("data").order_by("pk"))
"""The files of decisions, to be listed: without what is in them."""


def of_sources_of(by: "User") -> "QuerySet[Rights]":
    """Return the decisions on the rights of what belongs to the person's sources, or of everything."""
    decided = Rights.objects.annotate(of_source=Coalesce("source", "batch__source", "record__source"))
    limited_to = access.limited_to(by)
    return decided.filter(of_source__in=limited_to) if limited_to else decided


def readable(by: "User") -> "QuerySet[Evidence]":
    """Return the files that the person may read: a manager, those of their sources; erased ones are gone."""
    access.check_decide_rights(by)
    return Evidence.objects.filter(rights__in=of_sources_of(by).values("pk")).exclude(data=b"")


@transaction.atomic
def attach(rights: Rights, *, by: "User | None", name: str, data: bytes) -> Evidence:
    """Keep a file with a decision on rights; the same file twice is kept once."""
    access.check_decide_rights(by)
    media_type = _kind(data)
    digest = sha256(data).digest()
    Rights.objects.select_for_update(of=("self",), no_key=True).get(pk=rights.pk)
    known = Evidence.objects.filter(rights=rights, sha256=digest).first()
    if known:
        return known
    if Evidence.objects.filter(rights=rights).count() >= MAX_FILES:
        raise Refused(_("A decision keeps at most %(number)s files.") % {"number": MAX_FILES})
    return Evidence.objects.create(
        rights=rights, name=_named(name), media_type=media_type, size=len(data), sha256=digest, data=data, by=by
    )


def _kind(data: bytes) -> str:
    """Tell what a file is by how it begins; refuse what is too large, empty or of another kind."""
    if not data or len(data) > MAX_BYTES:
        raise _refused(_("A file of evidence has at least one byte and at most 10 MiB."))
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(_("Evidence is a PDF, a PNG or JPEG picture, or a text in UTF-8.")) from error
    if "\0" in text:
        raise _refused(_("Evidence is a PDF, a PNG or JPEG picture, or a text in UTF-8."))
    return Evidence.MediaType.TEXT


def _refused(message: str) -> Refused:
    return Refused(message, ground=Ground.INVALID, fields={"file": message})


def _named(name: str) -> str:
    """Return the name of the file without its folders, and without what cannot be shown on a line."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(character for character in last if character.isprintable())[-200:] or "evidence"
