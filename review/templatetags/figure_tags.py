"""How figures are written: in groups of three digits, the way tables of data sets are read in either language."""

from django import template

register = template.Library()


@register.filter
def grouped(number: int) -> str:
    """Return a whole number with a comma between thousands; the grouping of the locale would be one of four."""
    return f"{number:,}"


@register.filter
def per_cent_of(part: int, whole: int) -> str:
    """Return what per cent `part` is of `whole`, without claiming all or nothing where it is neither."""
    if not whole:
        return ""
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1%"
    if part < whole:
        return f"{min(int(share), 99)}%"
    return f"{share:.0f}%"
