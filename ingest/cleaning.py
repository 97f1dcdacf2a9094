"""Mending a record, or keeping it away, by the rules that were switched on for it."""

from typing import TYPE_CHECKING

from ingest.document import Document, Dropped
from review.text.rules import Texts

if TYPE_CHECKING:
    from review.text.rules import Chosen


def cleaned(document: Document, chosen: "Chosen") -> Document | Dropped:
    """Return the record as the repairs leave it, with the names of those that did something, or that it is dropped.

    The raw bytes stay as they were.
    """
    texts = Texts(document.instruction, document.input, document.output, document.metadata)
    mended, repairs = chosen.repaired(texts)
    if reason := chosen.reason_to_drop(mended):
        return Dropped(document.line, document.offset, document.end, document.raw, reason)
    if not repairs:
        return document
    return document._replace(instruction=mended.instruction, input=mended.input, output=mended.output, repairs=repairs)
