"""The container of a rejects file that comes back mended: one refused record a line, in the field ``raw``.

``raw`` is the record as it stood in its file, mended there; a JSON record may also stand there as an object. What kind
of file it came from is said by ``container``, for rows also by ``columns``; of which shape it is by ``format``, and how
its fields became the nine by ``mapping``.
"""

import csv
from collections.abc import Iterator, Mapping

from ingest.document import Refusal
from ingest.readers import encodings
from ingest.readers.lines import lines
from ingest.readers.piece import Piece, Returned
from ingest.readers.rows import DELIMITERS
from review.text.strict import Malformed, json_type, parse_object, string_list, text_field

RETURNED = "rejects"
"""The container, and the format in which every line names its own."""
MARKS = frozenset({"code", "message", "offset", "cut"})
"""Fields by which a line of a rejects file is told."""


def is_returned(record: Mapping[str, object]) -> bool:
    """Whether a record is a line of a rejects file."""
    return record.keys() >= MARKS and not {"raw", "raw_base64"}.isdisjoint(record)


def returned(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every refused record, as its own file would have given it; places are those of the rejects file.

    ``raw`` is the mended record where that can be read again by itself, else the whole line.
    """
    for piece in lines(stream, offset=offset, line=line, encoding=encoding):
        if isinstance(piece, Refusal):
            yield piece
            continue
        try:
            yield _mended(piece)
        except Malformed as fault:
            yield Refusal.because(fault, line=piece.line, offset=piece.offset, end=piece.end, raw=piece.raw)


def _mended(piece: Piece) -> Piece:
    entry = parse_object(piece.body)
    if not is_returned(entry):
        return piece
    piece = piece._replace(returned=Returned(piece.raw, entry))
    raw = entry.get("raw")
    if isinstance(raw, dict):
        return piece._replace(fields=raw)
    if raw is None or entry.get("cut") is True:
        raise Malformed("not_mended", "/raw")
    text = text_field(raw, "/raw", max_characters=len(piece.body))
    body = text.encode()
    container = str(entry.get("container", "")).partition(".")[0]
    if container in DELIMITERS:
        return piece._replace(fields=_cells(text, entry.get("columns"), DELIMITERS[container]))
    if container == "blocks":
        return piece._replace(fields={"lines": text.split("\n")})
    return piece._replace(raw=body, body=body)


def _cells(text: str, columns: object, delimiter: str) -> dict[str, object]:
    if not isinstance(columns, list):
        raise Malformed("wrong_type", "/columns", expected="array", found=json_type(columns))
    names = string_list(columns, "/columns")
    try:
        (cells,) = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise Malformed("bad_row", "/raw") from None
    if len(cells) != len(names):
        raise Malformed("wrong_columns", "/raw", found=len(cells), expected=len(names))
    return dict(zip(names, cells, strict=True))
