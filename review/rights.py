"""Deciding the rights of a source, a batch or a record."""

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Count, F, Max, OuterRef, Subquery
from django.utils.translation import gettext as _

from review import access, workflow
from review.models import NO_COPYRIGHT_STATED, Batch, Cause, Licence, Original, Record, Rights, Source
from review.refused import Ground, Refused
from review.text.claim import understood

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from review.models import User


SLOTS = frozenset({"holder", "licence", "address", "source"})
"""What a source's template of the copyright text may name."""

_WORDS = {Licence.PUBLIC_DOMAIN: "公有领域", Licence.PERMISSION_GRANTED: "经权利人授权", Licence.UNKNOWN: "许可未知"}


def published_text(licence: str, holder: str, *, source: Source | None = None, address: str = "") -> str:
    """Return the `copyright` text that is published when nobody wrote one, by the template of the source if any."""
    if licence == Licence.UNKNOWN and not holder:
        return NO_COPYRIGHT_STATED
    words = _WORDS.get(Licence(licence), licence)
    if source and source.copyright_template:
        said = {"holder": holder, "licence": words, "address": address, "source": source.name_zh}
        return _filled(source.copyright_template, said) or NO_COPYRIGHT_STATED
    return "，".join(part for part in (holder, words) if part)


def _filled(template: str, said: "Mapping[str, str]") -> str:
    """Fill a template in; a part between separators whose slots are all empty is left out."""
    parts = re.split(r"([，；。\n])", template)
    kept: list[str] = []
    for part, separator in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        slots = re.findall(r"\{(\w+)\}", part)
        if not slots or any(said[slot] for slot in slots):
            kept.append(re.sub(r"\{(\w+)\}", lambda slot: said[slot[1]], part) + separator)
    return "".join(kept).strip("，； \n")


def check_template(template: str) -> None:
    """Refuse a template with a slot that nothing fills, or with a brace too many."""
    rest = re.sub(rf"\{{({'|'.join(SLOTS)})\}}", "", template)
    if "{" in rest or "}" in rest:
        said = {"known": ", ".join(f"{{{slot}}}" for slot in sorted(SLOTS))}
        message = _("A template may hold these and no other braces: %(known)s.") % said
        raise Refused(message, ground=Ground.INVALID, fields={"template": message})


@transaction.atomic
def word_copyright(source: Source, *, by: "User | None", template: str) -> None:
    """Give a source another template; texts that have been decided stay as they are."""
    access.check_decide_rights(by)
    check_template(template)
    source.copyright_template = template
    source.save(update_fields=["copyright_template"])


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
        published_text=copyright_text
        or published_text(licence, holder, source=_source_of(owner), address=source_address),
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


def _source_of(owner: Source | Batch | Record) -> Source:
    return owner if isinstance(owner, Source) else owner.source


@transaction.atomic
def decide_rights(owner: Source | Batch | Record, *, by: "User | None", **said: Any) -> Rights:
    """Decide the rights of a source, a batch or a record; in effect from the end of the transaction.

    `said`: `licence`, and as known `holder`, `copyright_text`, `source_address`, `evidence`, `note`.
    """
    access.check_decide_rights(by)
    _hold(owner)
    rights = write(owner, by=by, **said)
    if isinstance(owner, Record):
        workflow.move(Record.objects.filter(pk=owner.pk), cause=Cause.RIGHTS, by=by, rights=rights)
    else:
        type(owner)._default_manager.filter(pk=owner.pk).update(rights=rights)
    owner.rights = rights
    return rights


def _hold(owner: Source | Batch | Record) -> None:
    """Let nobody else decide on the owner until the transaction ends: the later row is the one in effect."""
    type(owner)._default_manager.select_for_update(no_key=True, of=("self",)).get(pk=owner.pk)


@transaction.atomic
def follow_again(record: Record, *, by: "User | None") -> int:
    """Overrule what a record says of its own rights: it follows its import or source again."""
    access.check_decide_rights(by)
    followed = record.batch.rights or record.source.rights
    if followed is None:
        message = _("Neither the import nor the source has decided rights. Decide those of the record.")
        raise Refused(message, ground=Ground.INVALID)
    _hold(record)
    changed = workflow.move(
        Record.objects.filter(pk=record.pk, rights__isnull=False), cause=Cause.RIGHTS, by=by, rights=None
    )
    record.rights = None
    return changed


@dataclass(frozen=True, slots=True)
class Claimed:
    """A copyright text that the files of an import claim, with what it was understood to say."""

    text: str
    records: int
    holder: str
    licence: str
    provider: str


def claimed(batch: Batch) -> list[Claimed]:
    """Return the copyright texts that an import claims for records without rights of their own, the commonest first."""
    counted = (
        _claiming(batch)
        .values("claimed_copyright")
        .annotate(number=Count("record", distinct=True))
        .order_by("-number", "claimed_copyright")
    )
    found = [(str(row["claimed_copyright"]), row["number"]) for row in counted[:CLAIMS_SHOWN]]
    return [Claimed(text, number, *understood(text)) for text, number in found]


CLAIMS_SHOWN = 200


def _claiming(batch: Batch) -> "QuerySet[Original]":
    claims = Original.objects.filter(batch=batch, record__batch=batch, record__rights=None, record__retraction=None)
    return claims.exclude(claimed_copyright=None).exclude(claimed_copyright__in=["", NO_COPYRIGHT_STATED])


@transaction.atomic
def adopt_claims(batch: Batch, *, by: "User | None", adopted: "Sequence[Claimed]") -> int:
    """Make the texts that an import claims the rights of its records, each published as it stood in the file.

    In two statements, whatever the number of records; those that have rights of their own are left alone. Returns how
    many records were decided.
    """
    access.check_decide_rights(by)
    for claim in adopted:
        check_licence(claim.licence)
    first = Rights.objects.aggregate(last=Max("pk"))["last"] or 0
    for claim in adopted:
        _write_for_all(batch, claim, by)
    written = Rights.objects.filter(pk__gt=first, scope="record", record=OuterRef("pk"), evidence=ADOPTED)
    chosen = Record.objects.filter(batch=batch, rights=None, pk__in=written_for(batch, first))
    return workflow.move(chosen, cause=Cause.RIGHTS, by=by, rights=Subquery(written.order_by("-pk").values("pk")[:1]))


ADOPTED = "文件中的版权文字"
"""What such a decision rests on: the copyright text in the file."""


def written_for(batch: Batch, after: int) -> "QuerySet[Rights]":
    """Return the records of a batch that rights were written for since."""
    since = Rights.objects.filter(pk__gt=after, scope="record", record__batch=batch, evidence=ADOPTED)
    return since.values("record")  # type: ignore[return-value]  # a query over one column


def _write_for_all(batch: Batch, claim: Claimed, by: "User | None") -> None:
    meant = _claiming(batch).filter(claimed_copyright=claim.text).order_by().values("record").distinct()
    sql, parameters = meant.query.sql_with_params()
    said = [claim.holder, claim.licence, ADOPTED, claim.text, claim.provider, by.pk if by else None]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO review_rights (scope, record_id, holder, licence, source_address, evidence, published_text,"  # noqa: S608
            f" note, by_id) SELECT 'record', meant.id, %s, %s, '', %s, %s, %s, %s FROM ({sql}) meant(id)",
            [*said, *parameters],
        )
