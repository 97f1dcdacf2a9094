"""Comparing two releases, record by record."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from exports import changes, comparing
from exports.comparing import Change, Counts, Pair
from exports.forms import CompareForm
from exports.models import Release
from exports.views.answers import readable, release_or_404
from review.models import NO_COPYRIGHT_STATED, Record, Revision, Rights
from review.views.answers import Request, for_consumers, page

if TYPE_CHECKING:
    from django.db.models import QuerySet

PAGE_RECORDS = 20
KEPT_SECONDS = 7 * 24 * 3600
WHOLE = ("instruction", "input", "output", "licence")
"""What is shown of a record that only one of the releases holds."""
TEXTS = ("instruction", "input", "output", "metadata", "answer_from")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record in the older and the newer release."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A record that differs, with the fields that do; none when its text may not be shown."""

    pair: Pair
    word: str
    fields: list[Field]
    is_taken_down: bool


@require_safe
@for_consumers
def compare(request: Request, version: str) -> HttpResponse:
    """Show how a release differs from another one: the counts, and the records with what changed in them."""
    new = release_or_404(request.user, version)
    others = readable(request.user).exclude(pk=new.pk).exclude(cut_at=None).order_by("-cut_at", "-pk")
    old = _other(request, new, others)
    context: dict[str, Any] = {"release": new, "other": old, "others": others[:200], "changes": Change}
    if old is not None:
        context |= _compared(request, old, new)
    return page(request, "exports/compare.html", context)


def _compared(request: Request, old: Release, new: Release) -> dict[str, Any]:
    """Return what the page says of two releases: counts, and one page of records."""
    form = CompareForm(request.GET)
    if not form.is_valid():
        raise Http404
    change, source = form.cleaned_data["change"], form.cleaned_data["source"]
    after = form.cleaned_data["after"] or 0
    found = comparing.differing(old, new, after=after, limit=PAGE_RECORDS + 1, change=change, source=source)
    counts = _counts(old, new)
    return {
        "rows": [(slug, _in_order(numbers)) for slug, numbers in counts.by_source.items()],
        "total": _in_order(counts.total),
        "records": list(_shown(found[:PAGE_RECORDS])),
        "next": found[PAGE_RECORDS - 1].record if len(found) > PAGE_RECORDS else None,
        "change": change,
        "source": source,
    }


def _in_order(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return [(str(change.label), numbers.get(change.value, 0)) for change in Change]


def _other(request: Request, new: Release, others: "QuerySet[Release]") -> Release | None:
    """Return the release to compare with: the one named, else the one before."""
    named = request.GET.get("with")
    if named:
        found = others.filter(version=named[:64]).first() if named.isprintable() else None
        if found is None:
            raise Http404
        return found
    before = changes.before(new)
    return others.filter(pk=before.pk).first() if before else others.first()


def _counts(old: Release, new: Release) -> Counts:
    """Return the counts of two releases, which never change: asked of the database once."""
    key = f"exports:compared:{old.pk}:{new.pk}"
    known: dict[str, dict[str, int]] | None = cache.get(key)
    if known is None:
        known = comparing.releases(old, new).by_source
        cache.set(key, known, KEPT_SECONDS)
    return Counts(known)


def _shown(pairs: list[Pair]) -> Iterator[Shown]:
    """Yield the records of a page with what differs in them, in a few statements for all."""
    revisions = Revision.objects.in_bulk({pk for pair in pairs for pk in (pair.old_revision, pair.new_revision) if pk})
    rights = Rights.objects.in_bulk({pk for pair in pairs for pk in (pair.old_rights, pair.new_rights) if pk})
    ids = [pair.record for pair in pairs]
    gone = set(Record.objects.filter(pk__in=ids, takedown__isnull=False).values_list("pk", flat=True))
    for pair in pairs:
        before = _said(revisions, pair.old_revision, rights, pair.old_rights)
        now = _said(revisions, pair.new_revision, rights, pair.new_rights)
        names = [name for name in before | now if before.get(name, "") != now.get(name, "")]
        if not before or not now:
            names = [name for name in names if name in WHOLE]
        fields = [Field(name, before.get(name, ""), now.get(name, "")) for name in names]
        is_gone = pair.record in gone
        yield Shown(pair, str(Change(pair.change).label), [] if is_gone else fields, is_gone)


def _said(
    revisions: dict[int, Revision], revision: int | None, rights: dict[int, Rights], decided: int | None
) -> dict[str, str]:
    """Return what a release says of a record, by field; nothing when the record is not in it."""
    if revision is None:
        return {}
    wording = revisions[revision]
    labels = {"major": wording.task_type["major"], "minor": wording.task_type["minor"], "domain": wording.domain}
    texts = {name: str(getattr(wording, name)) for name in TEXTS}
    said = {"licence": "unknown", "holder": "", "copyright": NO_COPYRIGHT_STATED}
    if decided is not None:
        known = rights[decided]
        said = {"licence": known.licence, "holder": known.holder, "copyright": known.published_text}
    return texts | {name: "、".join(words) for name, words in labels.items()} | said
