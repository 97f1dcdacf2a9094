"""Searching the texts for words, in PostgreSQL: two Chinese characters are enough.

A pass behind intake reads what is new and what was reworded, some thousand records at a time, and writes an index of
runs and shelves (`review.text.grams`). What came in few by few is looked through as it is until there is enough for
another run. The index gives candidates; whether the words stand in a text is always asked of the text. Of each record
the first 2,000 characters of instruction, input and answer are searched, in this order, without regard to case. Labels
are found in the same index.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.db import connection, models, transaction
from django.db.models import Case, F, Func, OuterRef, Q, Subquery, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import StrIndex

from review import origins, unread
from review.models import Record, SearchRun, SearchShelf, SearchText, Unread
from review.text import grams

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from django.db.models import QuerySet
    from numpy.typing import NDArray

    from review.models.record import RecordQuerySet

    type _Ids = NDArray[np.int64]

ENOUGH = grams.RUN // 2
"""Records that make a run of their own; fewer wait for others."""
FEW = 10_000
"""Candidates whose texts are looked at before anything else; of more, only those that a page asks for."""
_WASTED = 0.5
_EACH = 4
"""Pairs by which each of many texts is looked up."""


class Entry(NamedTuple):
    """What the index takes in of a record."""

    record: int
    text: str
    labels: list[str]
    length: int


def lag() -> int:
    """Return how many records are not yet indexed."""
    return unread.lag(Unread.Task.SEARCH)


def matching(records: "RecordQuerySet", words: str) -> "RecordQuerySet":
    """Return those of `records` in whose text the words stand, character by character; all of them for no words.

    A single character is looked for in blocks of 64 records that hold it somewhere.
    """
    wanted = grams.folded(words.replace("\0", "").strip())
    if not wanted:
        return records
    found = _candidates(grams.grams(wanted), in_blocks=len(wanted) == 1)
    holding = SearchText.objects.filter(text__contains=wanted)
    if len(found) <= FEW:
        return _among(records, found, holding)
    position = SearchText.objects.filter(record=OuterRef("pk")).annotate(at=StrIndex("text", Value(wanted)))
    # Asked record by record, in the order of the page: as a join it would be asked of every text first.
    asked = records.alias(_mark=_mark(found), _position=Subquery(position.values("at")))
    return asked.filter(Q(pk__in=_loose(holding)) | Q(_mark=1, _position__gt=0))


def candidates(words: "Sequence[str]") -> list[int]:
    """Return the ids of the indexed records that may hold all of these words, of two characters or more each.

    Not among them are records of which only a later part holds a word, and those that no run has taken in: `beyond()`.
    """
    wanted = [gram for word in words for gram in grams.grams(grams.folded(word))]
    return [int(pk) for pk in _candidates(list(dict.fromkeys(wanted)))]


def candidates_of_each(texts: "Sequence[str]") -> "dict[int, list[int]]":
    """Return the indexed records that may begin with, or hold, one of many texts, each with the places of those texts.

    Read run by run, so that a list of some hundred texts costs little more than one.
    """
    wanted = {place: found for place, text in enumerate(texts) if (found := grams.grams(grams.folded(text))[:_EACH])}
    shelves = sorted({grams.shelf_of(gram) for found in wanted.values() for gram in found})
    meant: dict[int, list[int]] = {}
    for run, records in SearchRun.objects.order_by("pk").values_list("pk", "records").iterator(chunk_size=50):
        ids, contents = _ids(records), dict(_contents(run, shelves))
        for place, found in wanted.items():
            here = _together([grams.places_of(gram, contents[grams.shelf_of(gram)]) for gram in found])
            for pk in ids[here]:
                meant.setdefault(int(pk), []).append(place)
    return meant


def _contents(run: int, shelves: "Sequence[int]") -> "QuerySet[Any, Any]":
    held: QuerySet[Any, Any] = SearchShelf.objects.filter(run=run, shelf__in=_listed(shelves))
    return held.values_list("shelf", "content")


def _together(places: "Sequence[grams.Places]") -> "grams.Places":
    """Return the places that stand in each of these, the rarest first."""
    first, *rest = sorted(places, key=len)
    for others in rest:
        if not len(first):
            break
        first = np.intersect1d(first, others, assume_unique=True)
    return first


def beyond() -> list[int]:
    """Return the ids of the records of which the index does not know every wording, and each to its end."""
    with connection.cursor() as cursor:
        cursor.execute(_BEYOND, [grams.CUT])
        return [record for (record,) in cursor.fetchall()]


_BEYOND = """
    SELECT record_id FROM review_searchtext WHERE run_id IS NULL
    UNION SELECT record_id FROM review_searchtext WHERE length(text) >= %s
    UNION SELECT unnest(records) FROM review_unread WHERE task = 'search'
    UNION SELECT record_id FROM review_revision WHERE number > 1
"""


def labelled(records: "RecordQuerySet", kind: str, label: str) -> "RecordQuerySet":
    """Return those of `records` that bear a label of a kind (`major`, `minor`, `domain`, `answer_from`)."""
    filed = filed_as(kind, label)
    found = _candidates([grams.gram_of_label(filed)])
    holding = SearchText.objects.filter(labels__contains=[filed])
    if len(found) <= FEW:
        return _among(records, found, holding)
    mark, bears = f"_mark_{kind}", f"_bears_{kind}"
    own = SearchText.objects.filter(record=OuterRef("pk")).annotate(bears=Q(labels__contains=[filed]))
    asked = records.alias(**{mark: _mark(found), bears: Subquery(own.values("bears"))})
    return asked.filter(Q(pk__in=_loose(holding)) | Q((mark, 1), (bears, True)))  # the bit first: it costs nothing


def filed_as(kind: str, label: str) -> str:
    """Return the word that a label is indexed by."""
    return f"{kind}:{label}"


def _among(records: "RecordQuerySet", found: "_Ids", holding: "QuerySet[SearchText]") -> "RecordQuerySet":
    """Return the records that hold what is looked for: of the few candidates, and of those that are in no run."""
    indexed = holding.filter(pk__in=_listed(map(int, found))) if len(found) else holding.none()
    return records.filter(pk__in=_listed([*indexed.values_list("pk", flat=True), *_loose_ids(holding)]))


def _loose(holding: "QuerySet[SearchText]") -> RawSQL:
    return _listed(_loose_ids(holding))


def _loose_ids(holding: "QuerySet[SearchText]") -> "Iterable[int]":
    return holding.filter(run=None).values_list("pk", flat=True)


def _listed(ids: "Iterable[int]") -> RawSQL:
    return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, ids))}}}"])


def _mark(found: "_Ids") -> Case:
    """Return 1 for a record among many, looked up in a row of bits that the statement brings along."""
    marks = np.zeros(int(found.max()) + 1, np.bool_)
    marks[found] = True
    bits = Value(np.packbits(marks, bitorder="little").tobytes(), output_field=models.BinaryField())
    number = models.IntegerField()
    bit = Func(bits, F("pk"), function="get_bit", output_field=number)
    return Case(When(pk__lt=len(marks), then=bit), default=Value(0), output_field=number)


def _candidates(wanted: "Sequence[int]", *, in_blocks: bool = False) -> "_Ids":
    """Return the ids of the indexed records that may have all that is looked for."""
    places = _places(wanted)
    found = []
    for run, records in SearchRun.objects.filter(pk__in=places).values_list("pk", "records"):
        ids = _ids(records)
        here = grams.whole_blocks(places[run], len(ids)) if in_blocks else places[run]
        found.append(ids[here])
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _packed(records: "Sequence[int]") -> bytes:
    """Return ids in order as a run keeps them: where they follow one another, the first below zero, and the last."""
    is_stretch = records[-1] - records[0] == len(records) - 1
    return np.array([-records[0], records[-1]] if is_stretch else records, "<i8").tobytes()


def _ids(records: "bytes | memoryview") -> "_Ids":
    packed = np.frombuffer(records, "<i8")
    return np.arange(-packed[0], packed[1] + 1) if packed[0] < 0 else packed


def _places(wanted: "Sequence[int]") -> "dict[int, grams.Places]":
    """Return, by run, the places where every gram is said to stand."""
    places: dict[int, grams.Places] = {}
    by_shelf: dict[int, list[int]] = {}
    for gram in wanted:
        by_shelf.setdefault(grams.shelf_of(gram), []).append(gram)
    shelves = SearchShelf.objects.filter(shelf__in=by_shelf).values_list("run", "shelf", "content")
    for run, shelf, content in shelves.iterator(chunk_size=500):
        for gram in by_shelf[shelf]:
            here = grams.places_of(gram, content)
            places[run] = np.intersect1d(places[run], here, assume_unique=True) if run in places else here
    return {run: found for run, found in places.items() if len(found)}


def index_next() -> int:
    """Index the records that have waited longest; return how many. 0: there are none, or another pass is at it."""
    with transaction.atomic():
        if not unread.alone(Unread.Task.SEARCH):
            return 0
        taken = unread.take(Unread.Task.SEARCH, grams.RUN)
        _read(taken.records)
        taken.done()
        return len(taken.records) if taken.rows else _gather()


def _read(records: "Sequence[int]") -> None:
    with connection.cursor() as cursor:
        for start in range(0, len(records), grams.RUN):
            entries = _entries(records[start : start + grams.RUN])
            SearchText.objects.filter(pk__in=_listed(entry.record for entry in entries)).delete()
            run = _write_run(entries) if len(entries) >= ENOUGH else None
            with cursor.copy("COPY review_searchtext (record_id, text, labels, length, run_id) FROM STDIN") as copy:
                for entry in entries:
                    copy.write_row((*entry, run))
    origins.read(records)


def _entries(records: "Sequence[int]") -> list[Entry]:
    """Return what is searched of these records, as their wording is now."""
    now = Record.objects.filter(pk__in=_listed(records)).order_by("pk")
    cut = [
        Func(F(f"revision__{name}"), grams.CUT, function="left", output_field=models.TextField())
        for name in ("instruction", "input", "output")
    ]
    length = Func(F("revision__output"), function="length", output_field=models.IntegerField())
    filed = ("revision__task_type", "revision__domain", "revision__answer_from")
    rows = now.values_list("pk", length, *filed, *cut)
    return [Entry(pk, grams.indexed(*rest[3:]), _labels(*rest[:3]), length) for pk, length, *rest in rows]


def _labels(task_type: dict[str, list[str]], domain: list[str], answer_from: str) -> list[str]:
    kinds = {"major": task_type["major"], "minor": task_type["minor"], "domain": domain, "answer_from": [answer_from]}
    return [filed_as(kind, label) for kind, given in kinds.items() for label in given]


def _write_run(entries: "Sequence[Entry]") -> int:
    """Write the index of these records and return the run."""
    run = SearchRun.objects.create(records=_packed([entry.record for entry in entries]))
    shelves = grams.shelves([entry.text for entry in entries], [entry.labels for entry in entries])
    with connection.cursor() as cursor:
        columns = "(run_id, shelf, content)"
        with cursor.copy(f"COPY review_searchshelf {columns} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "int2", "bytea"])
            for shelf, content in shelves:
                copy.write_row((run.pk, shelf, content))
    return run.pk


def _gather() -> int:
    """Make a run of what came in few by few, once that is enough; return how many records that were."""
    loose = SearchText.objects.filter(run=None).order_by("pk").values_list("pk", "text", "labels", "length")
    entries = [Entry(*row) for row in loose[: grams.RUN]]
    if len(entries) < ENOUGH:
        return 0
    run = _write_run(entries)
    return SearchText.objects.filter(pk__in=_listed(entry.record for entry in entries)).update(run=run)


def tidy() -> int:
    """Dissolve the runs most of whose records have been reworded since; return how many."""
    with transaction.atomic():
        if not unread.alone(Unread.Task.SEARCH):
            return 0
        indexed = SearchText.objects.exclude(run=None).values("run").annotate(number=models.Count("pk"))
        standing = dict(indexed.order_by().values_list("run", "number"))
        runs = SearchRun.objects.values_list("pk", "records")
        wasted = [run for run, records in runs if standing.get(run, 0) < _WASTED * len(_ids(records))]
        _dissolve(wasted)
    return len(wasted)


def _dissolve(runs: "Collection[int]") -> None:
    """Take runs apart; what is left of their records waits to be gathered."""
    for records in SearchRun.objects.filter(pk__in=runs).values_list("records", flat=True):
        SearchText.objects.filter(pk__in=_listed(map(int, _ids(records))), run__in=runs).update(run=None)
    SearchShelf.objects.filter(run__in=runs).delete()
    SearchRun.objects.filter(pk__in=runs).delete()


def forget(records: "Collection[int]") -> None:
    """Erase what is kept of these records for searching, also in the indexes of wordings that they had before."""
    with transaction.atomic():
        origins.forget(records)
        SearchText.objects.filter(pk__in=records).delete()
        gone = np.fromiter(records, np.int64)
        runs = SearchRun.objects.values_list("pk", "records")
        _dissolve([run for run, of_run in runs if np.isin(gone, _ids(of_run)).any()])
