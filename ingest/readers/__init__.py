"""Readers turn files into documents: a container cuts a file into records, a reader takes a record's fields.

``READERS`` has one entry a raw shape, each in a module of its own; ``CONTAINERS`` has one a way of holding many.
"""

from ingest.readers.containers import CONTAINERS
from ingest.readers.recognition import Recognised, first_fields, recognise
from ingest.readers.registry import READERS
from ingest.readers.shape import Reader

__all__ = ["CONTAINERS", "READERS", "Reader", "Recognised", "first_fields", "recognise"]
