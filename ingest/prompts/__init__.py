"""Prompt templates: how an entry without a question, such as an encyclopaedia's, becomes a question and its answer.

The templates of a source are data, one JSON file a source: kinds of question in the order in which they are tried, and
for each the facts it needs, what makes the answer, and several wordings. All is checked when it is loaded.
"""

from ingest.prompts.kinds import FAULTS, Kind, Unsound, check_wordings, kinds_of, shipped_for
from ingest.prompts.rendering import Rendered, examples, render, rendered

__all__ = [
    "FAULTS",
    "Kind",
    "Rendered",
    "Unsound",
    "check_wordings",
    "examples",
    "kinds_of",
    "render",
    "rendered",
    "shipped_for",
]
