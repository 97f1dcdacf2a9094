"""Keeping mappings: for a source, under a name, to be taken up with its next file."""

from typing import TYPE_CHECKING

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingest.mapping import MAX_BYTES, FieldMapping, parsed, read
from ingest.models import Mapping
from review import access
from review.refused import Ground, Refused
from review.text.faults import Faulty
from review.text.strict import printable

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.models import Source, User

MAX_NAME_CHARACTERS = 100
JSON_BEGINS = ("{", "[", '"')
"""What somebody begins with who writes a mapping out, rightly or wrongly, and does not name one."""


def kept_for(source: "Source | None") -> "QuerySet[Mapping]":
    """Return the mappings of a source by name."""
    return Mapping.objects.filter(source=source).order_by("name", "pk")


def named(name: str, *, source: "Source") -> FieldMapping | None:
    """Return the mapping that is kept for the source under a name; None where there is none. Raises Refused."""
    kept = kept_for(source).filter(name=name).first() if name.isprintable() else None
    try:
        return parsed(kept.spec) if kept else None
    except Faulty as fault:
        raise _refused(fault) from fault


def given(said: str, *, source: "Source") -> FieldMapping | None:
    """Return the mapping that is kept for the source under a name, else the one that is written out; None for nothing.

    Raises Refused where it is neither.
    """
    if kept := named(said.strip(), source=source):
        return kept
    if not said.strip() or said.lstrip().startswith(JSON_BEGINS):
        return checked(said)
    names = ", ".join(kept_for(source).values_list("name", flat=True)) or "–"
    message = _("No mapping “%(name)s” is kept for the source (there are: %(known)s), and it is no JSON.")
    message %= {"name": printable(said.strip()), "known": names}
    raise Refused(message, ground=Ground.INVALID, fields={"mapping": message})


def keep(mapping: FieldMapping, *, source: "Source", name: str, by: "User | None") -> Mapping:
    """Keep a mapping under a name, in place of the one that had it."""
    access.check_import(by)
    name = name.strip()[:MAX_NAME_CHARACTERS]
    if not name:
        raise Refused(_("Give the mapping a name."), ground=Ground.INVALID)
    kept, _is_new = Mapping.objects.update_or_create(source=source, name=name, defaults={"spec": dict(mapping.spec)})
    return kept


def checked(text: str) -> FieldMapping | None:
    """Return the mapping that somebody wrote, None for nothing. Raises Refused with what is wrong and where."""
    if not text.strip():
        return None
    if len(text) > MAX_BYTES:
        raise Refused(_("The mapping is too long."), ground=Ground.INVALID)
    try:
        return read(text.encode("utf-8", "replace"))
    except Faulty as fault:
        raise _refused(fault) from fault


def _refused(fault: Faulty) -> Refused:
    message = _("The mapping cannot be used. %(why)s") % {"why": fault.message(get_language() or "")}
    return Refused(message, ground=Ground.INVALID, fields={"mapping": message})
