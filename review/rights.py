"""Deciding the rights of a source, a batch or a record."""

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from review import access, workflow
from review.models import NO_COPYRIGHT_STATED, Batch, Cause, Licence, Record, Rights, Source
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from review.models import User


def published_text(licence: str, holder: str) -> str:
    """Return the `copyright` text that is published when nobody wrote one."""
    if licence == Licence.UNKNOWN and not holder:
        return NO_COPYRIGHT_STATED
    words = {Licence.PUBLIC_DOMAIN: "公有领域", Licence.PERMISSION_GRANTED: "经权利人授权", Licence.UNKNOWN: "许可未知"}
    return "，".join(part for part in (holder, words.get(Licence(licence), licence)) if part)


def objections() -> "QuerySet[Rights]":
    """Return the objections in effect, the oldest first: what holds a record back until a manager decides."""
    objected = Rights.objects.filter(scope=Rights.Scope.RECORD, licence=Licence.OBJECTED)
    in_effect = objected.filter(record__rights=F("pk"), record__takedown=None, record__retraction=None)
    return in_effect.order_by("pk")


def check_licence(licence: str) -> None:
    """Refuse a word that names no licence."""
    if licence not in Licence.values:
        known = ", ".join(Licence.values)
        message = _("“%(licence)s” is no known licence. Known are: %(known)s.") % {"licence": licence, "known": known}
        raise Refused(message, ground=Ground.INVALID, fields={"licence": message})


def write(  # noqa: PLR0913  the columns of the row
    owner: Source | Batch | Record,
    *,
    by: "User | None",
    licence: str,
    holder: str = "",
    copyright_text: str = "",
    source_address: str = "",
    evidence: str = "",
    note: str = "",
) -> Rights:
    """Append a decision on the rights of `owner`, without making it the one in effect."""
    check_licence(licence)
    scope = {Source: "source", Batch: "batch", Record: "record"}[type(owner)]
    columns: dict[str, Any] = {scope: owner}
    return Rights.objects.create(
        scope=scope,
        licence=licence,
        holder=holder,
        published_text=copyright_text or published_text(licence, holder),
        source_address=source_address,
        evidence=evidence,
        note=note,
        by=by,
        **columns,
    )


def write_many(records: "Sequence[int]", *, by: "User | None", licence: str, **said: str) -> dict[int, int]:
    """Append the same decision on the rights of many records; return it by record. None of them is in effect yet."""
    check_licence(licence)
    text = said.pop("copyright_text", "") or published_text(licence, said.get("holder", ""))
    rows = [
        Rights(scope="record", record_id=record, licence=licence, published_text=text, by=by, **said)
        for record in records
    ]
    return {row.record_id or 0: row.pk for row in Rights.objects.bulk_create(rows)}


@transaction.atomic
def decide_rights(owner: Source | Batch | Record, *, by: "User | None", **said: Any) -> Rights:
    """Decide the rights of a source, a batch or a record; in effect from the end of the transaction.

    `said`: `licence`, and as known `holder`, `copyright_text`, `source_address`, `evidence`, `note`.
    """
    access.check_decide_rights(by)
    rights = write(owner, by=by, **said)
    if isinstance(owner, Record):
        workflow.move(Record.objects.filter(pk=owner.pk), cause=Cause.RIGHTS, by=by, rights=rights)
    else:
        type(owner)._default_manager.filter(pk=owner.pk).update(rights=rights)
    owner.rights = rights
    return rights


@transaction.atomic
def follow_again(record: Record, *, by: "User | None") -> int:
    """Overrule what a record says of its own rights: it follows its import or source again."""
    access.check_decide_rights(by)
    followed = record.batch.rights or record.source.rights
    if followed is None:
        message = _("Neither the import nor the source has decided rights. Decide those of the record.")
        raise Refused(message, ground=Ground.INVALID)
    changed = workflow.move(
        Record.objects.filter(pk=record.pk, rights__isnull=False), cause=Cause.RIGHTS, by=by, rights=None
    )
    record.rights = None
    return changed
