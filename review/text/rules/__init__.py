"""Rules about a record's text: flags point something out, repairs mend it, drops keep the record away.

Every rule has an id, one sentence in both languages and samples; all stand in ``RULES``.
"""

from review.text.rules.finding import Chosen, Encoded, find_flags
from review.text.rules.registry import FAMILIES, PERSONAL, RULES
from review.text.rules.shape import FIELDS, MAX_SPANS, Family, Found, Kind, Rule, Span, Texts

__all__ = [
    "FAMILIES",
    "FIELDS",
    "MAX_SPANS",
    "PERSONAL",
    "RULES",
    "Chosen",
    "Encoded",
    "Family",
    "Found",
    "Kind",
    "Rule",
    "Span",
    "Texts",
    "find_flags",
]
