"""What the pages of imports say of numbers, records and jobs."""

from typing import TYPE_CHECKING

from django import template
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingest.forms import FORMAT_NAMES
from review.models import AnswerFrom

if TYPE_CHECKING:
    from ingest.document import Refusal

register = template.Library()

CONTAINERS = {"jsonl": "JSONL", "array": "JSON"}


@register.filter
def grouped(number: float) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


@register.filter
def format_word(name: str) -> str:
    """Return what a format is called on pages."""
    return str(FORMAT_NAMES.get(name, name))


@register.filter
def container_word(name: str) -> str:
    """Return what a container is called on pages."""
    return CONTAINERS.get(name, name)


@register.filter
def answer_word(value: str) -> str:
    """Return who wrote an answer."""
    return str(AnswerFrom(value).label) if value else _("not known")


@register.filter
def refusal_sentence(refusal: "Refusal") -> str:
    """Return why a record is refused, in the language in use."""
    return refusal.message(get_language() or "")
