"""What the pages of imports say of numbers, records and jobs."""

from typing import TYPE_CHECKING

from django import template
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from ingest.overview import FORMAT_NAMES
from ingest.readers.compression import KINDS
from review.models import AnswerFrom
from review.templatetags.review_tags import rule_name, unscored_word

if TYPE_CHECKING:
    from ingest.document import Refusal
    from ingest.models import Job

register = template.Library()

CONTAINERS = {
    "jsonl": "JSONL",
    "array": "JSON",
    "object": "JSON",
    "csv": "CSV",
    "tsv": "TSV",
    "semicolons": "CSV (;)",
    "blocks": gettext_lazy("blocks of lines"),
    "parquet": "Parquet",
    "rejects": gettext_lazy("rejects that come back"),
}
STAGES = {
    "votes": gettext_lazy("Fewer votes than the source demands."),
    "too_short": gettext_lazy("The answer is shorter than the source demands."),
    "too_long": gettext_lazy("The answer is longer than the source allows."),
    "score": gettext_lazy("The quality score is below what the source demands."),
}
"""What the stages of `ingest.thresholds` leave out."""
UNSCORED = "unscored: "
MINUTE = 60


@register.filter
def grouped(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


@register.filter
def span(job: "Job") -> str:
    """Return how long a job took."""
    if job.started_at is None or job.finished_at is None:
        return ""
    seconds = (job.finished_at - job.started_at).total_seconds()
    if seconds < MINUTE:
        return _("%(seconds)s s") % {"seconds": f"{seconds:.1f}"}
    return timesince(job.started_at, job.finished_at, depth=1)


@register.filter
def format_word(name: str) -> str:
    """Return what a format is called on pages."""
    return str(FORMAT_NAMES.get(name, name))


@register.filter
def container_word(name: str) -> str:
    """Return what a container is called on pages, and how it is packed."""
    kind, _dot, packing = name.partition(".")
    word = str(CONTAINERS.get(kind, kind))
    return f"{word}, {KINDS[packing]}" if packing else word


@register.filter
def dropped_sentence(name: str) -> str:
    """Return why records are dropped: what a threshold of the source demands, or what a rule is about."""
    return str(STAGES[name]) if name in STAGES else rule_name(name)


@register.filter
def score_word(score: str) -> str:
    """Return a quality score as it is counted, or why there is none."""
    if not score.startswith(UNSCORED):
        return score
    return _("unscored: %(reason)s") % {"reason": unscored_word(score.removeprefix(UNSCORED))}


@register.filter
def answer_word(value: str) -> str:
    """Return who wrote an answer."""
    return str(AnswerFrom(value).label) if value else _("not known")


@register.filter
def refusal_sentence(refusal: "Refusal") -> str:
    """Return why a record is refused, in the language in use."""
    return refusal.message(get_language() or "")
