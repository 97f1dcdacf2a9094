"""Every raw shape that can be read, by the name that ``--format`` takes; recognition asks them in this order."""

from ingest.readers import alpaca, cqia
from ingest.readers.shape import Reader

READERS: dict[str, Reader] = {reader.name: reader for reader in (cqia.READER, alpaca.READER)}
