"""Markdown on a page: from parts that a template writes, so that text becomes no markup on the way."""

from typing import Any

from django import template

from review.text.preview import parts

register = template.Library()


@register.inclusion_tag("review/markdown.html")
def markdown(text: str) -> dict[str, Any]:
    """Draw a text as Markdown."""
    return {"parts": parts(text)}
