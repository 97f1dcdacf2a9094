"""The hash chain over the history, and the check that finds what was changed behind it.

A table whose rows are sealed has a trigger that notes each new row in `Unsealed`, in the transaction that writes it. So
a note is there exactly when its row is, whatever order transactions and sequences ran in: the sealer needs no snapshot
arithmetic, no high-water mark and no look back over what it has done. It takes the notes that it can see, numbers their
rows without gaps, and writes the links and removes the notes in one transaction. One sealer works at a time, by an
advisory lock that it takes before the statement (in READ COMMITTED: the snapshot) that reads the notes; so a number
that can be read is never followed by the later appearance of a lower one, which makes it a cursor. Killed half-way, its
transaction has not happened. The notes are rows as well: a dump takes them along.

A link is sha256(the hash before, then what names the row, then sha256 of the row). A row enters as JSON that the
database writes from named columns: times as whole microseconds, bytes as hex, texts by their sha256 alone, so that a
text that is erased later (see `Erased`) leaves its link as it was. A row that came in without a note, with the triggers
off, is never sealed, and so is found.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils.translation import gettext as _
from pghistory.models import Event

from review.models import (
    Decision,
    Erased,
    Evidence,
    Guideline,
    Intake,
    Move,
    Retraction,
    Revision,
    Rights,
    Seal,
    TakedownStep,
    Unsealed,
    Withdrawal,
)
from review.text.signature import content_hash

LOCK = "cqia sealer"
PAGE_ROWS = 10_000
BEGINNING = bytes(32)
"""What stands before the first link."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sealed of a model's rows: columns as they are, texts by their hash, and SQL over `t`, the row."""

    name: str
    model: type[models.Model]
    columns: tuple[str, ...]
    texts: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    since: tuple[str, ...] = ()
    """Columns that came later: sealed where they are filled, so that what was sealed before stays as it is."""
    is_whole: bool = False
    """Every column is sealed, by name, unless it is empty: a column that comes later leaves the seals as they are."""
    filter: str = "true"
    """Which rows of the table are sealed, as SQL over `t`."""

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def pk(self) -> str:
        return str(self.model._meta.pk.column)

    def digest(self) -> str:
        """Return the SQL of a row's sha256, over `t` and `e`, its entry among the erased texts."""
        if self.is_whole:
            whole = f"COALESCE({_WHOLE}, '{{}}')"
            return f"(SELECT sha256(convert_to({whole}, 'UTF8')) FROM jsonb_each(to_jsonb(t)) c)"  # noqa: S608  constants
        columns = [_written(self.model._meta.get_field(name)) for name in self.columns]
        later = [_written(self.model._meta.get_field(name)) for name in self.since]
        texts = [
            f"COALESCE(e.hashes->>'{name}', encode(sha256(convert_to(t.\"{name}\", 'UTF8')), 'hex'))"
            for name in self.texts
        ]
        row = f"json_build_array({', '.join([*columns, *texts, *self.beside])})::text"
        row = " || ".join([row, *(f"COALESCE({column}, '')" for column in later)])
        return f"sha256(convert_to({row}, 'UTF8'))"


def _written(field: Any) -> str:  # noqa: ANN401  as `get_field` gives it
    """Return the SQL that writes a column the same way under every setting of the session."""
    column = f't."{field.column}"'
    if isinstance(field, models.DateTimeField):
        return f"(extract(epoch FROM {column}) * 1000000)::bigint"
    if isinstance(field, models.BinaryField):
        return f"encode({column}, 'hex')"
    if isinstance(field, models.JSONField | models.DateField):
        return f"{column}::text"
    return column


def _content_of(column: str) -> str:
    return f"(SELECT encode(v.sha256, 'hex') FROM review_revision v WHERE v.id = t.{column})"  # noqa: S608  a column


_EMPTY = ", ".join(f"'{value}'::jsonb" for value in ("null", '""', "[]", "{}", "false", "0"))
_WHOLE = f"(jsonb_object_agg(c.key, c.value) FILTER (WHERE c.value NOT IN ({_EMPTY})))::text"

KINDS: dict[str, Kind] = {}
"""What is sealed, by name; neighbours add theirs when the application starts."""


def register(kind: Kind) -> None:
    """Have the rows of another model sealed: its table has the trigger `ToBeSealed` with this kind's name."""
    KINDS[kind.name] = kind


for _kind in (
    Kind(
        "move",
        Move,
        (
            *("record", "from_state", "to_state", "round", "revision_id", "verdict_id", "rights_id", "takedown_id"),
            *("retraction_id", "cause", "by", "at"),
        ),
        beside=(_content_of("revision_id"),),
    ),
    Kind(
        "decision",
        Decision,
        (
            *("record", "revision", "seen_revision", "reviewer", "role", "kind", "verdict", "round", "attempt"),
            *("rights_said", "rights", "seconds", "guideline", "request_id", "at"),
        ),
        texts=("reason",),
        beside=(_content_of("revision_id"), _content_of("seen_revision_id")),
    ),
    Kind("withdrawal", Withdrawal, ("decision", "kind", "by", "at"), texts=("reason",)),
    Kind(
        "rights",
        Rights,
        ("scope", "source", "batch", "record", "licence", "by", "at"),
        texts=("holder", "source_address", "evidence", "published_text", "note"),
    ),
    Kind(
        "revision",
        Revision,
        ("record", "number", "sha256", "author", "batch", "at"),
        filter="t.author_id IS NOT NULL",
    ),
    Kind("guideline", Guideline, ("source", "version", "by", "at"), texts=("text",)),
    Kind("intake", Intake, ("batch", "revisions", "sha256", "at"), since=("originals",)),
    Kind("evidence", Evidence, ("rights", "media_type", "size", "sha256", "by", "at"), texts=("name",)),
    Kind("retraction", Retraction, ("batch", "by", "at"), texts=("reason",)),
    Kind("takedown", TakedownStep, ("takedown", "state", "matches", "sha256", "by", "at"), texts=("note",)),
    Kind("erased", Erased, ("kind", "row", "hashes", "takedown", "at")),
):
    register(_kind)


def register_events() -> None:
    """Have the history of what managers set up sealed: every model of events that says under which name."""
    for model in apps.get_models():
        if issubclass(model, Event) and hasattr(model, "sealed_as"):
            register(Kind(model.sealed_as, model, (), is_whole=True))


def seal() -> int:
    """Seal what has been committed and not been sealed yet; return how many rows. Nothing while another sealer works.

    In transactions of some thousand rows each, so that what is sealed can be read soon.
    """
    number = 0
    while sealed := _seal_page():
        number += sealed
    return number


@transaction.atomic
def _seal_page() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [LOCK])
        if not (cursor.fetchone() or (False,))[0]:
            return 0
        cursor.execute(
            "WITH taken AS (DELETE FROM review_unsealed WHERE id IN"
            " (SELECT id FROM review_unsealed ORDER BY id LIMIT %s) RETURNING id, kind, row)"
            " SELECT kind, row FROM taken ORDER BY id",
            [PAGE_ROWS],
        )
        rows: list[tuple[str, int]] = cursor.fetchall()
        if not rows:
            return 0
        digests = _digests(rows)
        no, before = _last()
        with cursor.copy("COPY review_seal (no, kind, row, hash) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "varchar", "int8", "bytea"])
            for kind, row in rows:
                no += 1
                before = _link(before, no, kind, row, digests.get((kind, row), b""))
                copy.write_row((no, kind, row, before))
    return len(rows)


def _link(before: bytes, no: int, kind: str, row: int, digest: bytes) -> bytes:
    return sha256(b"%b%d %b %d %b" % (before, no, kind.encode(), row, digest)).digest()


def _last() -> tuple[int, bytes]:
    last = Seal.objects.order_by("-no").values_list("no", "hash").first()
    return (last[0], bytes(last[1])) if last else (0, BEGINNING)


def anchor() -> dict[str, Any]:
    """Return the last link, to be written down elsewhere: it vouches for everything before it."""
    no, link = _last()
    return {"seal": no, "sha256": link.hex()}


def _digests(rows: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
    """Return the sha256 of each row; a row that is not there has none."""
    by_kind: dict[str, list[int]] = {}
    for kind, row in rows:
        by_kind.setdefault(kind, []).append(row)
    found: dict[tuple[str, int], bytes] = {}
    for name, wanted in by_kind.items():
        meant = KINDS[name]
        sql = (
            f'SELECT t."{meant.pk}", {meant.digest()} FROM "{meant.table}" t'  # noqa: S608  the names of models
            f" LEFT JOIN review_erased e ON e.kind = '{name}' AND e.row = t.\"{meant.pk}\""
            f' WHERE t."{meant.pk}" = ANY(%s) AND {meant.filter}'
        )
        found |= {(name, pk): digest for pk, digest in _rows(sql, [wanted])}
    return found


def _rows(sql: str, parameters: Iterable[Any] = ()) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        while page := cursor.fetchmany(PAGE_ROWS):
            yield from page


type Anchor = tuple[int, str, str]
"""The number of a link, its hash in hex, and where that is written down."""

ANCHORS: list[Callable[[], Iterable[Anchor]]] = []
"""What neighbours know of the chain from elsewhere, such as the manifests of releases."""


CHECKS: list[Callable[[], Iterable[str]]] = []
"""What neighbours check of rows that a row of theirs vouches for; each yields what is wrong, in words."""


def verify(
    *, anchors: Iterable[Anchor] = (), progress: Callable[[int, int], object] = lambda _done, _total: None
) -> Iterator[str]:
    """Check the whole history, and yield in words each row that was changed, removed or inserted behind its back."""
    known = {no: (link, place) for given in (anchors, *(source() for source in ANCHORS)) for no, link, place in given}
    yield from _verify_chain(known, progress)
    yield from _unnoted()
    yield from _wrong_intakes()
    yield from _wrong_originals()
    yield from _wrong_wordings()
    yield from _wrong_files()
    yield from _unproven_records()
    for check in CHECKS:
        yield from check()


def _verify_chain(known: dict[int, tuple[str, str]], progress: Callable[[int, int], object]) -> Iterator[str]:
    """Follow the chain from its beginning. A row that differs is named once: its stored link goes on as it is."""
    no, before = 0, BEGINNING
    total = Seal.objects.count()
    checked = 0
    while page := list(
        Seal.objects.filter(no__gt=no).order_by("no").values_list("no", "kind", "row", "hash")[:PAGE_ROWS]
    ):
        digests = _digests((kind, row) for _no, kind, row, _hash in page if kind in KINDS)
        for next_no, kind, row, stored in page:
            if next_no != no + 1:
                yield _("seals %(first)s to %(last)s were removed") % {"first": no + 1, "last": next_no - 1}
            elif (kind, row) not in digests:
                yield _("%(kind)s %(row)s was removed") % {"kind": kind, "row": row}
            elif _link(before, next_no, kind, row, digests[kind, row]) != bytes(stored):
                yield _("%(kind)s %(row)s was changed, or its seal %(no)s") % {"kind": kind, "row": row, "no": next_no}
            no, before = next_no, bytes(stored)
            if no in known and known.pop(no)[0] != before.hex():
                yield _("seal %(no)s is not the one that was written down elsewhere") % {"no": no}
        checked += len(page)
        progress(checked, total)
    for missing, (link, place) in sorted(known.items()):
        if missing or link != BEGINNING.hex():
            yield _("seal %(no)s, written down in %(place)s, is missing") % {"no": missing, "place": place}


def _unnoted() -> Iterator[str]:
    """Name the rows that nobody noted when they came in."""
    for name, kind in KINDS.items():
        sql = (
            f'SELECT t."{kind.pk}" FROM "{kind.table}" t'  # noqa: S608  the names of models
            f" WHERE {kind.filter}"
            f" AND NOT EXISTS (SELECT FROM review_seal s WHERE s.kind = '{name}' AND s.row = t.\"{kind.pk}\")"
            f" AND NOT EXISTS (SELECT FROM review_unsealed u WHERE u.kind = '{name}' AND u.row = t.\"{kind.pk}\")"
            f' ORDER BY t."{kind.pk}"'
        )
        for (pk,) in _rows(sql):
            yield _("%(kind)s %(row)s was inserted with the history switched off") % {"kind": name, "row": pk}


def _wrong_intakes() -> Iterator[str]:
    """Name imports whose wordings are not those that came in, and wordings that came in by no import and no person."""
    sql = """
        SELECT i.id, i.batch_id FROM review_intake i
        CROSS JOIN LATERAL (
            SELECT sha256(string_agg(v.sha256, ''::bytea ORDER BY o.place)) FROM unnest(i.revisions)
            WITH ORDINALITY o(id, place) JOIN review_revision v ON v.id = o.id
        ) now(sha256)
        WHERE now.sha256 IS DISTINCT FROM i.sha256 ORDER BY i.id
    """
    for pk, batch in _rows(sql):
        yield _("intake %(row)s of batch %(batch)s: its wordings were changed or removed") % {"row": pk, "batch": batch}
    sql = """
        SELECT v.id FROM review_revision v WHERE v.author_id IS NULL
        EXCEPT SELECT unnest(i.revisions) FROM review_intake i ORDER BY 1
    """
    for (pk,) in _rows(sql):
        yield _("%(kind)s %(row)s was inserted with the history switched off") % {"kind": "revision", "row": pk}


# The originals of a record and a batch stand in the order of the wordings that came in with them.
_ORIGINALS = """
    SELECT i.id, i.batch_id FROM review_intake i
    CROSS JOIN LATERAL (
        SELECT sha256(string_agg(it.said, ''::bytea ORDER BY o.place)) FROM unnest(i.revisions)
        WITH ORDINALITY o(id, place) JOIN review_revision v ON v.id = o.id
        CROSS JOIN LATERAL (
            SELECT COALESCE(decode(e.hashes->>'raw', 'hex'), sha256(t.raw)) || COALESCE(
                decode(e.hashes->>'claimed_copyright', 'hex'),
                sha256(convert_to(COALESCE(t.claimed_copyright, ''), 'UTF8'))
            )
            FROM review_original t LEFT JOIN review_erased e ON e.kind = 'original' AND e.row = t.id
            WHERE t.record_id = v.record_id AND t.batch_id = i.batch_id ORDER BY t.id LIMIT 1 OFFSET (
                SELECT count(*) FROM review_revision earlier
                WHERE earlier.record_id = v.record_id AND earlier.batch_id = i.batch_id AND earlier.number < v.number
            )
        ) it(said)
    ) now(sha256)
    WHERE i.originals IS NOT NULL AND now.sha256 IS DISTINCT FROM i.originals ORDER BY i.id
"""
_TOO_MANY = """
    SELECT max(t.id) FROM review_original t GROUP BY t.record_id, t.batch_id
    HAVING count(*) > (
        SELECT count(*) FROM review_revision v WHERE v.record_id = t.record_id AND v.batch_id = t.batch_id
    ) ORDER BY 1
"""


def _wrong_originals() -> Iterator[str]:
    """Name imports whose raw lines are not those that came in, and raw lines that came in by no import."""
    for pk, batch in _rows(_ORIGINALS):
        yield _("intake %(row)s of batch %(batch)s: its raw lines were changed or removed") % {
            "row": pk,
            "batch": batch,
        }
    for (pk,) in _rows(_TOO_MANY):
        yield _("%(kind)s %(row)s was inserted with the history switched off") % {"kind": "original", "row": pk}


def _wrong_files() -> Iterator[str]:
    """Name the evidence whose file is not the one of its hash, unless it was erased."""
    sql = """
        SELECT t.id FROM review_evidence t LEFT JOIN review_erased e ON e.kind = 'evidence' AND e.row = t.id
        WHERE sha256(t.data) <> t.sha256 AND (e.id IS NULL OR t.data <> ''::bytea) ORDER BY t.id
    """
    for (pk,) in _rows(sql):
        yield _("evidence %(row)s was changed: its file is not that of its hash") % {"row": pk}


def _wrong_wordings() -> Iterator[str]:
    """Name the wordings whose text or labels are not those of their hash, or that are not blank and yet erased."""
    erased = set(Erased.objects.filter(kind="revision").values_list("row", flat=True))
    for revision in Revision.objects.order_by("pk").iterator(chunk_size=2000):
        if revision.pk in erased:
            is_right = not (revision.instruction or revision.input or revision.output or revision.metadata)
        else:
            is_right = bytes(revision.sha256) == content_of(revision)
        if not is_right:
            yield _("revision %(row)s was changed: its text is not that of its hash") % {"row": revision.pk}


def content_of(revision: Revision) -> bytes:
    """Return the hash of what a revision holds now."""
    return content_hash(
        instruction=revision.instruction,
        input=revision.input,
        output=revision.output,
        major=revision.task_type["major"],
        minor=revision.task_type["minor"],
        domain=revision.domain,
        metadata=revision.metadata,
        answer_from=revision.answer_from,
    )


def _unproven_records() -> Iterator[str]:
    """Name the records that do not stand where their last move has put them."""
    sql = """
        SELECT r.id FROM review_record r LEFT JOIN (
            SELECT DISTINCT ON (record_id) * FROM review_move ORDER BY record_id, id DESC
        ) m ON m.record_id = r.id
        WHERE CASE WHEN m.id IS NULL
            THEN r.state NOT IN ('waiting', 'unanswered') OR r.round <> 1 OR r.verdict_id IS NOT NULL
                OR r.rights_id IS NOT NULL OR r.takedown_id IS NOT NULL OR r.retraction_id IS NOT NULL
            ELSE (r.state, r.round, r.revision_id, r.verdict_id, r.rights_id, r.takedown_id, r.retraction_id)
                IS DISTINCT FROM (m.to_state, m.round, m.revision_id, m.verdict_id, m.rights_id, m.takedown_id,
                    m.retraction_id)
            END
        ORDER BY r.id
    """
    for (pk,) in _rows(sql):
        yield _("record %(row)s does not stand where its last move put it") % {"row": pk}


def waiting() -> int:
    """Return how many rows of the history wait for the sealer."""
    return Unsealed.objects.count()
