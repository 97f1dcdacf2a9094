"""Near-duplicates: records whose texts are nearly the same, whatever import or source they came in with.

A pass behind intake signs what is new and what was reworded (`review.text.minhash`), then compares each signature with
every one there is of a live record: who shares a number with another is a candidate, and is checked shingle by shingle.
Signatures are kept by run and band, so that a million of them are read, one band after the other, in a fraction of a
second.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL

from review import unread
from review.models import NearDuplicate, Record, SignatureBand, SignatureRun, Unread
from review.text import minhash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from django.db.models import QuerySet
    from numpy.typing import NDArray

    type _Ids = NDArray[np.int64]
    type _Mask = NDArray[np.bool_]
    type _Pairs = set[tuple[int, int]]

NEAR = 0.8
"""The share of shingles in common from which on two records are near-duplicates."""
RUN = 8_192
AT_ONCE = 8
"""Runs that are compared together at most; each time, all that is signed is read once."""
NEIGHBOURS = 8
"""Records that one is compared with, of those that share a number with it: of a thousand alike, each is linked."""
SMALL_RUNS = 32
_CHECKED_AT_ONCE = 500
_READ_AT_ONCE = 500


class Near(NamedTuple):
    """A record that is nearly the same as another one."""

    record: Record
    similarity: float


def lag() -> int:
    """Return how many records have not been signed yet."""
    return unread.lag(Unread.Task.LIKENESS)


def pairs() -> "QuerySet[NearDuplicate]":
    """Return the pairs of which both records are live."""
    live = {f"{side}__{gone}": None for side in ("record", "other") for gone in ("takedown", "retraction")}
    return NearDuplicate.objects.filter(**live)


def having_near() -> "QuerySet[Any, Any]":
    """Return the ids of the records that have near-duplicates. Pairs of imports taken back are gone."""
    down = Record.objects.filter(takedown__isnull=False).values("pk")
    standing = NearDuplicate.objects.exclude(record__in=down).exclude(other__in=down)
    return standing.values("record").union(standing.values("other"))


def drop_pairs_of(batch: int) -> None:
    """Forget the pairs that records of an import are of: it was taken back."""
    NearDuplicate.objects.filter(Q(record__batch=batch) | Q(other__batch=batch)).delete()


def near(record: int) -> list[Near]:
    """Return the live records that are nearly the same, the likest first, with wording, source and batch."""
    found = pairs().filter(Q(record=record) | Q(other=record))
    alike = {pair.other_id if pair.record_id == record else pair.record_id: pair.similarity for pair in found}
    records = Record.objects.select_related("revision", "source", "batch").filter(pk__in=alike)
    return sorted((Near(each, alike[each.pk]) for each in records), key=lambda it: (-it.similarity, it.record.pk))


def similar_to(text: str, *, at_least: float) -> list[tuple[int, float]]:
    """Return (id, similarity) of the signed records, live or not, whose text or whose answer is so much like `text`.

    Candidates share one of 16 numbers with it: below a similarity of about 0.7 many have none in common.
    """
    return sorted(similar_to_any([text], at_least=at_least).items(), key=lambda it: (-it[1], it[0]))


def similar_to_any(texts: "Iterable[str]", *, at_least: float) -> dict[int, float]:
    """Return the records so much like one of `texts`, with how much; what is signed is read once for all of them."""
    wanted = [one for one in map(minhash.squeezed, texts) if one]
    if not wanted:
        return {}
    numbers = minhash.signatures(wanted)
    meant: dict[int, set[int]] = {}
    for band, (signed, ids) in _bands():
        for place in np.flatnonzero(np.isin(signed, numbers[:, band])):
            alike = np.flatnonzero(numbers[:, band] == signed[place])
            meant.setdefault(int(ids[place]), set()).update(alike.tolist())
    return dict(_similar(wanted, meant, at_least))


def _similar(
    wanted: "Sequence[str]", meant: "Mapping[int, Collection[int]]", at_least: float
) -> "Iterator[tuple[int, float]]":
    """Check the candidates: of each record, against those of the wanted texts that it may be like."""
    shingles = {place: minhash.shingles(wanted[place]) for places in meant.values() for place in places}
    for pk, *texts in _texts(meant):
        whole, answer = (minhash.shingles(minhash.squeezed(*part)) for part in (texts, texts[-1:]))
        asked = (shingles[place] for place in meant[pk])
        similarity = max(max(minhash.likeness(one, whole), minhash.likeness(one, answer)) for one in asked)
        if similarity >= at_least:
            yield pk, similarity


def _listed(ids: "Iterable[int]") -> RawSQL:
    return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, ids))}}}"])


def _texts(records: "Iterable[int]") -> "Iterator[tuple[int, str, str, str]]":
    """Yield (id, instruction, input, output) of records, in order of id, as they are worded now."""
    now = Record.objects.filter(pk__in=_listed(records)).order_by("pk")
    texts = now.values_list("pk", "revision__instruction", "revision__input", "revision__output")
    return texts.iterator(chunk_size=_READ_AT_ONCE)


def find_next() -> int:
    """Sign the records that have waited longest, and compare what is signed once nothing waits or enough is signed.

    Returns how many records were signed or compared; 0: there are none, or another pass is at it.
    """
    with transaction.atomic():
        if not unread.alone(Unread.Task.LIKENESS):
            return 0
        taken = unread.take(Unread.Task.LIKENESS, RUN)
        _sign(taken.records)
        taken.done()
        fresh = list(SignatureRun.objects.filter(is_compared=False).order_by("pk").values_list("pk", "number"))
        is_due = not taken.rows or len(fresh) >= AT_ONCE
        compared = _compare([run for run, _number in fresh[:AT_ONCE]]) if is_due and fresh else 0
    return len(taken.records) + compared


def _sign(records: "Sequence[int]") -> None:
    """Write the signatures of records, and forget what was found of them before: their wording may be another now."""
    for start in range(0, len(records), RUN):
        of_run = records[start : start + RUN]
        ids, rows = _signatures(of_run)
        NearDuplicate.objects.filter(Q(record__in=_listed(of_run)) | Q(other__in=_listed(of_run))).delete()
        run = SignatureRun.objects.create(records=np.array(ids, "<i8").tobytes(), number=len(ids))
        _write_bands(run, rows)


def _signatures(records: "Sequence[int]") -> tuple[list[int], minhash.Signatures]:
    ids: list[int] = []
    rows: list[minhash.Signatures] = []
    part: list[str] = []
    for pk, *texts in _texts(records):
        ids.append(pk)
        part.append(minhash.squeezed(*texts))
        if len(part) == _READ_AT_ONCE:
            rows.append(minhash.signatures(part))
            part = []
    return ids, np.concatenate([*rows, minhash.signatures(part)])


def _write_bands(run: SignatureRun, rows: minhash.Signatures) -> None:
    SignatureBand.objects.bulk_create(
        SignatureBand(run=run, band=band, numbers=rows[:, band].astype("<u4").tobytes())
        for band in range(minhash.BANDS)
    )


def _bands(runs: "Collection[int] | None" = None) -> "Iterator[tuple[int, tuple[minhash.Signatures, _Ids]]]":
    """Yield each band of all that is signed, or of some runs, as (band, (numbers, ids of the records))."""
    chosen = SignatureRun.objects.order_by("pk")
    bands = SignatureBand.objects.order_by("run")
    if runs is not None:
        chosen, bands = chosen.filter(pk__in=runs), bands.filter(run__in=runs)
    signed = list(chosen.values_list("pk", "records"))
    ids = np.concatenate([np.zeros(0, np.int64), *(np.frombuffer(records, "<i8") for _pk, records in signed)])
    last = signed[-1][0] if signed else 0
    for band in range(minhash.BANDS):
        numbers = bands.filter(band=band, run__lte=last).values_list("numbers", flat=True)
        joined = b"".join(map(bytes, numbers))
        yield band, (np.frombuffer(joined, "<u4"), ids)


def _compare(runs: "Sequence[int]") -> int:
    """Compare what was signed in these runs with all that is signed and live; return how many records that were."""
    found: _Pairs = set()
    fresh = dict(_bands(runs))
    fresh_ids = np.unique(fresh[0][1])
    for band, (numbers, ids) in _bands():
        if not band:  # the records are the same in every band
            is_live = ~np.isin(ids, _dead())
            live_ids = ids[is_live]
            is_fresh = np.isin(live_ids, fresh_ids)
        found |= _sharing(fresh[band][0], numbers[is_live], live_ids, is_fresh)
    for similar in _checked(sorted(found)):
        NearDuplicate.objects.bulk_create(similar, ignore_conflicts=True)
    SignatureRun.objects.filter(pk__in=runs).update(is_compared=True)
    return len(fresh_ids)


def _dead() -> "_Ids":
    """Return the ids of the records that were taken back or taken down, as one value: there may be a million."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(int8send(id), '') FROM review_record"
            " WHERE takedown_id IS NOT NULL OR retraction_id IS NOT NULL"
        )
        return np.frombuffer(cursor.fetchone()[0] or b"", ">i8").astype(np.int64)


def _sharing(fresh: minhash.Signatures, numbers: minhash.Signatures, ids: "_Ids", is_fresh: "_Mask") -> "_Pairs":
    """Return the pairs of records that share a number, one of them fresh: of all that is signed, few are that."""
    known = np.zeros(1 << 24, np.bool_)
    known[fresh >> np.uint32(8)] = True
    likely = np.flatnonzero(known[numbers >> np.uint32(8)])
    likely = likely[np.lexsort((ids[likely], numbers[likely]))]
    sorted_numbers, sorted_ids, sorted_fresh = numbers[likely], ids[likely], is_fresh[likely]
    found: _Pairs = set()
    for distance in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(sorted_numbers[distance:] == sorted_numbers[:-distance])
        if not len(same):
            break
        same = same[sorted_fresh[same] | sorted_fresh[same + distance]]
        ones, others = sorted_ids[same], sorted_ids[same + distance]
        found.update(zip(ones[ones != others].tolist(), others[ones != others].tolist(), strict=True))
    return found


def _checked(found: "Sequence[tuple[int, int]]") -> "Iterator[list[NearDuplicate]]":
    """Yield those of the candidate pairs that are near-duplicates, some at a time."""
    for start in range(0, len(found), _CHECKED_AT_ONCE):
        part = found[start : start + _CHECKED_AT_ONCE]
        texts: Mapping[int, frozenset[str]] = {
            pk: minhash.shingles(minhash.squeezed(*texts))
            for pk, *texts in _texts({pk for pair in part for pk in pair})
        }
        likeness = ((one, other, minhash.likeness(texts[one], texts[other])) for one, other in part)
        yield [NearDuplicate(record_id=one, other_id=other, similarity=it) for one, other, it in likeness if it >= NEAR]


def tidy() -> int:
    """Lay many small runs together to one, each record by its latest signature only; return how many."""
    with transaction.atomic():
        if not unread.alone(Unread.Task.LIKENESS):
            return 0
        small = SignatureRun.objects.filter(is_compared=True, number__lt=RUN // 2).order_by("pk")
        runs = list(small.values_list("pk", flat=True)[: 4 * SMALL_RUNS])
        if len(runs) < SMALL_RUNS:
            return 0
        bands = dict(_bands(runs))
        ids = bands[0][1]
        _kept, backwards = np.unique(ids[::-1], return_index=True)
        latest = np.sort(len(ids) - 1 - backwards)
        rows = np.stack([bands[band][0][latest] for band in range(minhash.BANDS)], axis=1)
        run = SignatureRun.objects.create(
            records=ids[latest].astype("<i8").tobytes(), number=len(latest), is_compared=True
        )
        _write_bands(run, rows)
        _drop(runs)
    return len(runs)


def _drop(runs: "Collection[int]") -> None:
    SignatureBand.objects.filter(run__in=runs).delete()
    SignatureRun.objects.filter(pk__in=runs).delete()


def forget(records: "Collection[int]") -> None:
    """Erase what is kept of the texts of these records: their signatures, and the pairs that they are of."""
    with transaction.atomic():
        NearDuplicate.objects.filter(Q(record__in=records) | Q(other__in=records)).delete()
        gone = np.fromiter(records, np.int64)
        for run in SignatureRun.objects.all():
            ids = np.frombuffer(run.records, "<i8")
            if np.isin(gone, ids).any():
                _leave_out(run, ~np.isin(ids, gone), ids)


def _leave_out(run: SignatureRun, kept: "_Mask", ids: "_Ids") -> None:
    for band in SignatureBand.objects.filter(run=run):
        band.numbers = np.frombuffer(band.numbers, "<u4")[kept].tobytes()
        band.save(update_fields=["numbers"])
    run.records, run.number = ids[kept].tobytes(), int(kept.sum())
    run.save(update_fields=["records", "number"])
