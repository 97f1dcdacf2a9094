"""Every raw shape that can be read, by the name that ``--format`` takes; recognition asks them in this order."""

from ingest.document import Document
from ingest.readers import alpaca, answers, conversations, cqia, entries, exams, pairs
from ingest.readers.piece import Piece
from ingest.readers.returned import RETURNED
from ingest.readers.shape import Reader, Record


def _returned(record: Record, piece: Piece) -> Document:
    """Read a record that came back as what its line says it is."""
    stated = piece.returned.entry.get("format") if piece.returned else None
    reader = READERS.get(stated) if isinstance(stated, str) and stated != RETURNED else None
    return (reader or cqia.READER).document(record, piece)


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        cqia.READER,
        alpaca.READER,
        conversations.SHAREGPT,
        conversations.MESSAGES,
        answers.READER,
        answers.ROW,
        exams.COIG,
        exams.OPTIONS,
        exams.COLUMNS,
        exams.PAPER,
        exams.BLOCK,
        pairs.PARALLEL,
        pairs.READER,
        entries.POEM,
        entries.THREAD,
        entries.PROMPT,
        entries.ARTICLE,
        entries.ENTRY,
        Reader(RETURNED, lambda _record: False, _returned),
    )
}
