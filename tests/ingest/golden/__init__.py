"""Raw material of every format, five records each, written for this project; and what must become of each of them.

An expectation holds instruction, output, and whatever else of the document is worth saying.
"""

from tests.ingest.golden.dialogues import DIALOGUES
from tests.ingest.golden.exams import EXAMS
from tests.ingest.golden.made import Golden, Made
from tests.ingest.golden.returned import RETURNED
from tests.ingest.golden.texts import TEXTS

__all__ = ["GOLDEN", "Golden", "Made"]

GOLDEN = DIALOGUES | EXAMS | TEXTS | RETURNED
