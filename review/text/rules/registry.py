"""Every rule, by its id; families in the order in which people read them, repairs in the order of their application."""

from review.text.rules import (
    characters,
    encoding,
    fields,
    invisible,
    labels,
    personal,
    promotion,
    scripts,
    structure,
    templates,
    voice,
)
from review.text.rules.shape import Family, Kind, Rule

FAMILIES: tuple[Family, ...] = (
    characters.FAMILY,
    encoding.FAMILY,
    invisible.FAMILY,
    structure.FAMILY,
    templates.FAMILY,
    fields.FAMILY,
    personal.FAMILY,
    promotion.FAMILY,
    voice.FAMILY,
    scripts.FAMILY,
    labels.FAMILY,
)

RULES: dict[str, Rule] = {rule.id: rule for family in FAMILIES for rule in family.rules}

PERSONAL = frozenset(rule.id for rule in personal.FAMILY.rules if rule.kind == Kind.FLAG)
"""The flags that point out personal data."""
