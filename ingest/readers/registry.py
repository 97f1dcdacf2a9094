"""Every raw shape that can be read, by the name that ``--format`` takes; recognition asks them in this order."""

from ingest.readers import alpaca, answers, conversations, cqia, entries, exams, pairs
from ingest.readers.shape import Reader

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
    )
}
