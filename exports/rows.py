"""The published shape, and the queries that stream it.

The database itself writes each line: `to_json` escapes exactly what Python's `json` escapes with `ensure_ascii=False`,
the lists are kept export-ready beside the revision, and COPY in binary form hands the bytes over untouched. Joins are
LATERAL with OFFSET 0, so that a page of rows costs its look-ups by key and never a scan, whatever the planner thinks.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Case, CharField, Q, QuerySet, Value, When

from review.models import NO_COPYRIGHT_STATED, Licence, Record, State, is_flagged_by
from review.models.record import LIVE, SENT_BACK

if TYPE_CHECKING:
    from exports.aliases import Aliases
    from exports.writers.form import Convert

PIECE_BYTES = 64 * 1024
PAGE_BYTES = 4 * 1024 * 1024
FIRST_PAGE_ROWS = 256
PAGE_ROWS = 4096
BLOCK_ROWS = 64
"""Rows of a release that the database hands over as one: the driver takes longer for a row than for what is in it."""

_VALUES = {
    "instruction": "to_json(wording.instruction)",
    "input": "to_json(wording.input)",
    "output": "to_json(wording.output)",
    "task_type": "wording.task_type_text",
    "domain": "wording.domain_text",
    "metadata": "to_json(wording.metadata)",
    "answer_from": "to_json(wording.answer_from)",
    "human_verified": "'true'",
    "copyright": "said.copyright",
}
FIELDS = tuple(_VALUES)
"""The nine fields, in the order in which they are published."""


def _object(values: dict[str, str]) -> str:
    """Return the SQL that writes a JSON object as `json.dumps` does; `values` are SQL expressions by key.

    One `concat` writes into one buffer, where a chain of `||` would copy what is there already again and again.
    """
    parts = [f"'{', ' if number else '{'}\"{key}\": ', {value}" for number, (key, value) in enumerate(values.items())]
    return f"concat({', '.join(parts)}, '}}')"


LINE = _object(_VALUES)
"""One line as SQL, over `wording` (a revision) and `said` (a row with `copyright`, as JSON)."""

_ALIASED = """(
    SELECT COALESCE(jsonb_agg(name ORDER BY first), '[]') FROM (
        SELECT COALESCE(%({aliases})s::jsonb -> '{kind}' ->> label, label) AS name, min(place) AS first
        FROM jsonb_array_elements_text({labels}) WITH ORDINALITY AS said (label, place) GROUP BY 1
    ) named
)"""
"""A list of labels as SQL, each under the name that it has now, once."""


def _aliased(kind: str, labels: str, aliases: str = "aliases") -> str:
    return _ALIASED.format(kind=kind, labels=labels, aliases=aliases)


def aliased_labels(aliases: str) -> str:
    """Return the SQL of all labels of a `wording` under the names that the parameter `aliases` gives them."""
    major = _aliased("major", "wording.task_type -> 'major'", aliases)
    minor = _aliased("minor", "wording.task_type -> 'minor'", aliases)
    return f"{major}, {minor}, {_aliased('domain', 'wording.domain', aliases)}"


_ALIASED_VALUES = _VALUES | {
    "task_type": "CASE WHEN wording.task_type -> 'major' ?| %(major)s::text[]"
    " OR wording.task_type -> 'minor' ?| %(minor)s::text[] THEN jsonb_build_object('major', "
    + _aliased("major", "wording.task_type -> 'major'")
    + ", 'minor', "
    + _aliased("minor", "wording.task_type -> 'minor'")
    + ")::text ELSE wording.task_type_text END",
    "domain": "CASE WHEN wording.domain ?| %(domain)s::text[] THEN "
    + _aliased("domain", "wording.domain")
    + "::text ELSE wording.domain_text END",
}
ALIASED_LINE = _object(_ALIASED_VALUES)
"""The same where labels have been merged: slower, and used by no release that knows no alias."""

_WORDING = """
    CROSS JOIN LATERAL (
        SELECT * FROM review_revision WHERE review_revision.id = said.revision_id OFFSET 0
    ) wording
"""

_HEAD = """concat('{"id": ', said.id, ', "sha256": "')"""
_TAIL = "concat(said.rights, COALESCE(to_json(said.external_id)::text, 'null'), '}')"


def _rights(licence: str, holder: str) -> str:
    return f"""concat('", "licence": ', to_json({licence}), ', "holder": ', to_json({holder}), ', "external_id": ')"""


_KIND = (
    "concat(said.licence, '|', wording.answer_from, CASE WHEN wording.author_id IS NULL THEN '|' ELSE '|edited' END)"
)
_FROZEN = f"""
    SELECT block.* FROM (
        SELECT * FROM generate_series(%(after)s, %(upto)s - 1, {BLOCK_ROWS}) each (after) ORDER BY after OFFSET 0
    ) begins CROSS JOIN LATERAL (
        SELECT {", ".join(f"string_agg({name}, E'\\n' ORDER BY position)" for name in ("line", "head", "tail", "kind"))}
        FROM (
            SELECT LINE AS line, {_HEAD} AS head, {_TAIL} AS tail, {_KIND} AS kind, said.position FROM (
                SELECT frozen.position, frozen.record_id AS id, frozen.revision_id, frozen.external_id,
                    COALESCE(rights.copyright, to_json(%(no_copyright)s::text)) AS copyright,
                    COALESCE(rights.licence, %(unknown)s) AS licence,
                    COALESCE(rights.tail, {_rights("%(unknown)s::text", "''::text")}) AS rights
                FROM (
                    SELECT * FROM exports_releaserow
                    WHERE release_id = %(release)s AND position > begins.after
                        AND position <= least(begins.after + {BLOCK_ROWS}, %(upto)s)
                    ORDER BY position OFFSET 0
                ) frozen
                LEFT JOIN LATERAL (
                    SELECT licence, to_json(published_text) AS copyright, {_rights("licence", "holder")} AS tail
                    FROM review_rights WHERE review_rights.id = frozen.rights_id OFFSET 0
                ) rights ON true
            ) said {_WORDING} ORDER BY said.position OFFSET 0
        ) one
    ) block ORDER BY begins.after
"""  # noqa: S608  the constants of this module


def held_back(licences: Collection[str], flags: Collection[str] = ()) -> "QuerySet[Any, Any]":
    """Return the approved records that do not leave under `licences`, or for one of `flags`, each with its `reason`.

    With them those that were decided once, sent back, and are not decided again: they would have left.
    """
    approved: QuerySet[Any, Any] = Record.objects.filter(Q(state=State.APPROVED) | SENT_BACK & LIVE).with_rights()
    flagged = [When(is_flagged_by(flags), then=Value("flagged"))] if flags else []
    reason = Case(
        When(~Q(state=State.APPROVED), then=Value("sent-back")),
        When(takedown__isnull=False, then=Value("taken-down")),
        When(retraction__isnull=False, then=Value("retracted")),
        When(licence=Licence.RESTRICTED, then=Value("rights-restricted")),
        When(licence=Licence.OBJECTED, then=Value("rights-objected")),
        When(~Q(licence__in=sorted(licences)) & Q(licence=Licence.UNKNOWN), then=Value("rights-unknown")),
        When(~Q(licence__in=sorted(licences)), then=Value("licence-not-in-policy")),
        *flagged,
        default=Value(""),
        output_field=CharField(),
    )
    approved = approved.annotate(reason=reason)
    return approved.exclude(reason="")


def frozen_rows(
    release: int, after: int, upto: int, aliases: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Read the rows of a release at positions `after` + 1 to `upto`, in one statement of its own.

    `aliases` are the names that labels are written under instead of their own, by kind.

    Yields for each the published line; what stands in `records/` before and after the line's sha256, all without a
    newline; and its kind, `licence|answer from|edited or nothing`, to be counted.
    """
    said: dict[str, object] = {
        "release": release,
        "after": after,
        "upto": upto,
        "no_copyright": NO_COPYRIGHT_STATED,
        "unknown": Licence.UNKNOWN.value,
    }
    line, values = _line(aliases)
    for block in _copied(_FROZEN.replace("LINE", line), said | values, columns=4):
        if block[0] is not None:
            yield from zip(*(column.split(b"\n") for column in block), strict=True)


def _line(aliases: Mapping[str, Mapping[str, str]] | None) -> tuple[str, dict[str, object]]:
    """Return the SQL of a line whose labels stand under other names, and what it says by name."""
    if not aliases:
        return LINE, {}
    values: dict[str, object] = {kind: list(aliases.get(kind, ())) for kind in ("major", "minor", "domain")}
    return ALIASED_LINE, values | {"aliases": json.dumps(aliases, ensure_ascii=False)}


_GIVEN = f"""
    SELECT LINE, said.place FROM (
        SELECT asked.place, asked.revision_id, to_json(COALESCE(rights.published_text, %(no_copyright)s)) AS copyright
        FROM unnest(%(revisions)s::bigint[], %(rights)s::bigint[]) WITH ORDINALITY
            AS asked (revision_id, rights_id, place)
        LEFT JOIN LATERAL (
            SELECT * FROM review_rights WHERE review_rights.id = asked.rights_id OFFSET 0
        ) rights ON true
    ) said {_WORDING}
"""  # noqa: S608  the constants of this module


def lines_of(
    wanted: Sequence[tuple[int, int | None]], aliases: "Aliases | None" = None
) -> dict[tuple[int, int | None], bytes]:
    """Return the published line of each of these wordings under these rights: (revision, rights)."""
    if not wanted:
        return {}
    said: dict[str, object] = {
        "revisions": [revision for revision, _rights in wanted],
        "rights": [rights for _revision, rights in wanted],
        "no_copyright": NO_COPYRIGHT_STATED,
    }
    line, values = _line(aliases)
    rows = _copied(_GIVEN.replace("LINE", line), said | values, columns=2)
    return {wanted[int.from_bytes(place) - 1]: line for line, place in rows}


@dataclass(slots=True)
class _Page:
    data: bytes = b""
    rows: int = 0
    last: int = 0
    is_cut_short: bool = False


def live_lines(
    records: "QuerySet[Any, Any]", convert: "Convert | None" = None, aliases: "Aliases | None" = None
) -> Iterator[bytes]:
    """Stream the lines of `records`, which come from `releasable()`, in the order of their ids, in pieces of 64 KiB.

    `convert` writes each line in another form than the nine fields; `aliases` name labels otherwise, by kind.

    Each page is read whole, in short statements, before the first piece of it is given away: however slow the reader
    is, no transaction waits for it. A failure of the database raises.
    """
    after: int | None = 0
    rows = FIRST_PAGE_ROWS
    while after is not None:
        upto = _page_end(after, rows)
        page = _live_page(records, after, upto, convert, aliases)
        for start in range(0, len(page.data), PIECE_BYTES):
            yield page.data[start : start + PIECE_BYTES]
        after = page.last if page.is_cut_short else upto
        rows = min(PAGE_ROWS, max(1, page.rows * PAGE_BYTES // len(page.data))) if page.data else PAGE_ROWS


def _page_end(after: int, rows: int) -> int | None:
    """Return the id of the approved record that stands `rows` behind `after`, or None when there are fewer.

    Asked without the rights and the filters, so that it is one walk along an index at any size.
    """
    approved = Record.objects.live().filter(state=State.APPROVED, pk__gt=after).order_by("pk")
    return approved.values_list("pk", flat=True)[rows - 1 : rows].first()


def _live_page(
    records: "QuerySet[Any, Any]",
    after: int,
    upto: int | None,
    convert: "Convert | None" = None,
    aliases: "Aliases | None" = None,
) -> _Page:
    """Read the lines of `records` with ids above `after` up to `upto`, or fewer where they are very long."""
    inside = records.filter(pk__gt=after) if upto is None else records.filter(pk__gt=after, pk__lte=upto)
    chosen, parameters = inside.order_by("pk").values("pk", "revision_id", "copyright").query.sql_with_params()
    line, named = _line(aliases)
    values = [named[name] for name in re.findall(r"%\((\w+)\)s", line)]  # the ORM counts its parameters
    sql = f"""
        SELECT {re.sub(r"%\(\w+\)s", "%s", line)}, said.id FROM (
            SELECT id, revision_id, to_json(copyright) AS copyright
            FROM ({chosen}) chosen (id, revision_id, copyright) ORDER BY id OFFSET 0
        ) said {_WORDING} ORDER BY said.id
    """  # noqa: S608  the constants of this module, and what the ORM has compiled
    page, lines, size = _Page(), [], 0
    for text, record in _copied(sql, [*values, *parameters], columns=2):
        if size >= 2 * PAGE_BYTES:
            page.is_cut_short = True
            continue
        lines.append(convert(text) if convert else text)
        size += len(text)
        page.last = int.from_bytes(record)
    page.data, page.rows = b"\n".join([*lines, b""]), len(lines)
    return page


def _copied(
    sql: str, parameters: Sequence[object] | Mapping[str, object], *, columns: int
) -> Iterator[tuple[Any, ...]]:
    """Run `sql` as COPY and yield the bytes of its columns, text as UTF-8; errors are those of `django.db`."""
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        # The driver's own: Django's wrapper takes no parameters while queries are logged.
        cursor.cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT binary)", parameters) as copy,
    ):
        copy.set_types(["bytea"] * columns)
        yield from copy.rows()
