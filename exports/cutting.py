"""The cut: what a release holds, and what was held back, frozen by one statement from one snapshot."""

import json
import re
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, DateTimeField, F, Func, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from exports import aliases, history
from exports.facts import ALL
from exports.models import BAD_VERSION, INTERNAL, NOT_INTERNAL, VERSION, Release
from exports.rows import held_back
from review import quality, sealing
from review.models import Record, Source
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Collection

    from exports.models import Policy
    from exports.options import Options
    from review.models import User

    type Records = QuerySet[Any, Any]
    type Counts = dict[str, dict[str, int]]

FIGURES = ("alpha_verdict", "alpha_labels", "edit_distance")

# One snapshot serves the whole statement, in READ COMMITTED too: a decision that arrives meanwhile is in or out, whole.
_CUT = """
    WITH chosen (record_id, revision_id, verdict_id, rights_id, external_id, slug) AS ({chosen}),
    {drawn}
    placed AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY slug COLLATE "C", record_id) AS position, taken.* FROM {taken} taken
    ),
    held (slug, reason, records) AS ({held}),
    frozen AS (
        INSERT INTO exports_releaserow
            (release_id, position, record_id, revision_id, verdict_id, rights_id, external_id)
        SELECT %s, position, record_id, revision_id, verdict_id, rights_id, external_id FROM placed
    )
    SELECT slug, '', count(*) FROM placed GROUP BY slug UNION ALL SELECT slug, reason, records FROM held {left_out}
"""
# The draw follows from seed and record alone: what is added later moves nobody out but by its own rank.
_DRAWN = """
    ranked AS MATERIALIZED (
        SELECT chosen.*, row_number() OVER (
            PARTITION BY slug ORDER BY sha256(convert_to(%s || ' ' || record_id, 'UTF8')), record_id
        ) <= COALESCE((%s::jsonb ->> slug)::bigint, %s, 9223372036854775807) AS is_in FROM chosen
    ),
    mixed AS (
        SELECT record_id, revision_id, verdict_id, rights_id, external_id, slug FROM ranked WHERE is_in
    ),
"""
_LEFT_OUT = "UNION ALL SELECT slug, 'not-in-mix', count(*) FROM ranked WHERE NOT is_in GROUP BY slug"
# Few records are judged by several people: they are found once, not asked for record by record.
_AGREEMENT = """
    WITH verdicts AS (
        SELECT verdict.record_id, verdict.round, verdict.kind
        FROM exports_releaserow frozen JOIN review_decision verdict ON verdict.id = frozen.verdict_id
        WHERE frozen.release_id = %s
    ),
    several AS (
        SELECT decision.record_id, decision.round FROM review_decision decision
        WHERE decision.kind = 'review'
            AND NOT EXISTS (SELECT FROM review_withdrawal gone WHERE gone.decision_id = decision.id)
        GROUP BY decision.record_id, decision.round HAVING count(*) > 1
    )
    SELECT count(several), count(several) FILTER (WHERE verdicts.kind = 'review'),
        count(*) FILTER (WHERE verdicts.kind = 'settle')
    FROM verdicts LEFT JOIN several USING (record_id, round)
"""


def releasable(gate: "Policy | Release", sources: "Collection[str]") -> "Records":
    """Return the records of these sources that leave under a policy, or under what a release keeps of one."""
    records: Records = Record.objects.releasable(gate.licences, without=gate.holds_back_flags)
    return records.filter(source__slug__in=sources) if sources else records


def kept_back(gate: "Policy | Release", sources: "Collection[str]") -> "Records":
    """Return the approved records of these sources that do not leave, each with its `reason`."""
    records: Records = held_back(gate.licences, gate.holds_back_flags)
    return records.filter(source__slug__in=sources) if sources else records


def held(gate: "Policy | Release", sources: "Collection[str]") -> "Records":
    """Return how many approved records of these sources do not leave: (slug, reason, number)."""
    chosen = kept_back(gate, sources)
    counted: Records = chosen.values("source__slug", "reason").annotate(number=Count("pk")).order_by()
    return counted


def check_version(version: str) -> None:
    """Refuse what is no proper name for a version; the database refuses it as well."""
    if not re.fullmatch(VERSION, version) or ".." in version:
        raise Refused(BAD_VERSION, ground=Ground.INVALID)


def cut(*, version: str, policy: "Policy", options: "Options", by: "User | None") -> Release:
    """Freeze the records that are releasable now as a new release, in one short transaction.

    Raises `Refused` when the version cannot be used: taken, being cut at this moment, or no proper name.
    """
    check_version(version)
    try:
        with transaction.atomic():
            _take_name(version)
            release = _plan(version, policy, options, by)
            released, back = _freeze(release, options)
            _finish(release, released, back)
    except IntegrityError as error:
        raise Refused(_("A release “%(version)s” exists already.") % {"version": version}) from error
    release.refresh_from_db()
    return release


def _take_name(version: str) -> None:
    """Let no two cuts of one name run side by side: the second is told at once, not after the first has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"release {version.lower()}"])
        (is_ours,) = cursor.fetchone() or (False,)
    if not is_ours:
        raise Refused(_("A release “%(version)s” is being cut at this moment.") % {"version": version})
    if Release.objects.filter(version__iexact=version).exists():
        raise Refused(_("A release “%(version)s” exists already.") % {"version": version})


def _plan(version: str, policy: "Policy", options: "Options", by: "User | None") -> Release:
    if version.lower().endswith(INTERNAL) and not policy.is_internal:
        raise Refused(NOT_INTERNAL, ground=Ground.INVALID)
    return Release.objects.create(
        version=version,
        policy=policy,
        is_internal=policy.is_internal,
        licences=sorted(policy.licences),
        holds_back_flags=sorted(policy.holds_back_flags),
        options=options.as_json(),
        by=by,
        app_version=settings.VERSION,
    )


def _freeze(release: Release, options: "Options") -> "tuple[dict[str, int], Counts]":
    """Write the rows of the release; return the numbers released by source, and held back by source and reason."""
    in_effect = Coalesce("rights_id", "batch__rights_id", "source__rights_id")
    records = releasable(release, options.sources).annotate(in_effect=in_effect).order_by()
    chosen = records.values("pk", "revision_id", "verdict_id", "in_effect", "external_id", "source__slug")
    chosen_sql, chosen_values = chosen.query.sql_with_params()
    held_sql, held_values = held(release, options.sources).query.sql_with_params()
    parts = {"chosen": chosen_sql, "held": held_sql, "drawn": "", "taken": "chosen", "left_out": ""}
    drawn_values: list[Any] = []
    if options.mix:
        parts |= {"drawn": _DRAWN, "taken": "mixed", "left_out": _LEFT_OUT}
        drawn_values = [str(options.mix.seed), json.dumps(dict(options.mix.caps)), options.mix.others]
    with connection.cursor() as cursor:
        cursor.execute(_CUT.format(**parts), [*chosen_values, *drawn_values, *held_values, release.pk])
        counted = cursor.fetchall()
    released = {slug: number for slug, reason, number in counted if not reason}
    back: Counts = {}
    for slug, reason, number in sorted(counted):
        if reason:
            back.setdefault(slug, {})[reason] = number
    return released, back


def _finish(release: Release, released: dict[str, int], back: "Counts") -> None:
    moment = Func(template="date_trunc('second', statement_timestamp())", output_field=DateTimeField())
    Release.objects.filter(pk=release.pk).update(
        state=Release.State.CUT,
        cut_at=moment,
        records=sum(released.values()),
        sources=_described(released),
        held_back=back,
        anchor=sealing.anchor(),
        aliases=aliases.current(),
        agreement=_agreement(release, released),
        rows_sha256=RawSQL(history.ROWS, [release.pk]),  # noqa: S611  a constant
    )


def _agreement(release: Release, sources: "Collection[str]") -> dict[str, int | float | None]:
    """Return how many of the records several people judged, on how many of those they agreed, how many were settled.

    With them the figures of all that was judged more than once in these sources, what was rejected included.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AGREEMENT, [release.pk])
        several, agreed, settled = cursor.fetchone() or (0, 0, 0)
    counted = {"several": several, "agreed": agreed, "settled": settled}
    figures = quality.agreement_of(sources) if several else {}
    return counted | {name: figures[name] for name in FIGURES if name in figures}


def _described(released: dict[str, int]) -> list[dict[str, Any]]:
    """Return the sources in the order of the release's rows, as they are called now, with their numbers."""
    if ALL in released:
        message = _("A source is called “all”, as the configuration of all sources is. Give it another name.")
        raise Refused(message, ground=Ground.INVALID)
    names = ("slug", "name_zh", "name_en", "methods")
    category = {f"category_{name}": F(f"category__{name}") for name in ("slug", "name_zh", "name_en")}
    known = Source.objects.filter(slug__in=released).values(*names, **category)
    described = [said | {"records": released[said["slug"]]} for said in known]
    return sorted(described, key=lambda said: said["slug"])
