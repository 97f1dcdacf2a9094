"""How figures of quality are written: a dash where there is nothing to count."""

from collections.abc import Mapping

from django import template

register = template.Library()
NONE = "–"


@register.filter
def figure(value: float | None, digits: int = 3) -> str:
    """Return a figure with so many digits after the point."""
    return NONE if value is None else f"{value:.{digits}f}"


@register.filter
def per_cent(value: float | None) -> str:
    """Return a rate between 0 and 1 in per cent."""
    return NONE if value is None else f"{100 * value:.1f}%"


@register.filter
def get(mapping: Mapping[str, object], key: str) -> object:
    """Return what stands under a key, nothing where there is none."""
    return mapping.get(key, "")


@register.filter
def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()
