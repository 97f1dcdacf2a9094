"""Which format, container and encoding a file is in, told from its beginning; or why it cannot be read at all."""

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import NamedTuple

import orjson

from ingest.document import Refusal, Unreadable
from ingest.readers import compression, encodings, parquet, rows
from ingest.readers.containers import CONTAINERS, cut
from ingest.readers.piece import Piece
from ingest.readers.registry import READERS
from ingest.readers.returned import RETURNED, is_returned
from ingest.readers.shape import Record
from review.text.strict import MAX_LINE_BYTES, Malformed, fault_position, parse_object, printable

SAMPLE_BYTES = 8 << 20
SAMPLE_LINES = 1000
RECORDS_OF_FIELDS = 100
"""Records in which fields are looked for."""
MAX_PATH = 3
"""Dots in the name of a field that is shown."""
SHOWN_CHARACTERS = 80
SAMPLE_ROWS = 20
SAMPLE_BLOCKS = 20
MAX_NAME_CHARACTERS = 60
"""Of a column."""
MAX_FOREIGN_PERCENT = 1
DEFAULT_FORMAT = "cqia"
"""Takes whatever the other shapes take too; stands in where no record of the sample is whole enough to tell."""

ARCHIVES = {
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "ZIP",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}
PACKED_AGAIN = {magic: compression.KINDS[kind] for magic, kind in compression.MAGIC.items()}
"""Inside a packed file, one that is packed again."""
TAR_MAGIC, TAR_PLACE = b"ustar", 257
OTHER_KINDS = {
    b"\x89PNG\r\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"RIFF": "RIFF",
    b"%PDF-": "PDF",
    b"\x7fELF": "ELF",
    b"MZ\x90": "EXE",
    b"ARROW1": "Arrow",
    b"SQLite format 3": "SQLite",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "Microsoft Office",
    b"<": "HTML / XML",
}
"""Files that are mistaken for records, by their first bytes."""

_UNMARKED_UTF16 = re.compile(rb"[\[{]\x00[^\x00]\x00|\x00[\[{]\x00[^\x00]")
_INCOMPLETE = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,2}\Z")
_TABLE_NAME = re.compile(r"\.(?:csv|tsv)(?:\.(?:gz|zst))?\Z", re.IGNORECASE)
_SPREAD_OBJECT = re.compile(rb"\s*+\{\s*?\n")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_MORE_THAN_DAMAGE = 3
"""Bytes: as many can go wrong in one damaged character of a line that is UTF-8."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """How a file is to be read: ``READERS[format].read(stream, container=…, encoding=…)``."""

    format: str
    container: str
    encoding: str
    is_empty: bool = False
    """The file holds nothing, or nothing but white space and a byte order mark."""
    broken: Unreadable | None = None
    """Why reading will end early, where that shows at the beginning; what stands before can be read."""


def recognise(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 -- named like the option that it takes
    encoding: str | None = None,
    name: str = "",
) -> Recognised:
    """Look at the beginning of a file; ``format`` and ``encoding`` are believed when they are given.

    ``name`` is what people call the file, where that is not the name of the path: its ending speaks for a table.

    Raises:
        Unreadable: for a file that is no file of records, is in another encoding, or fits no format.

    """
    if format is not None and format not in READERS:
        raise Unreadable("unknown_format", format=printable(format), known=", ".join(READERS))
    sample, is_whole, packing, broken = _sample(Path(path))
    ending = f".{packing}" if packing else ""
    if sample.startswith(parquet.MAGIC):
        return _parquet(Path(path), format, packing)
    found = _encoding(sample, encoding, is_whole=is_whole)
    text = sample if found == "utf-8" else sample.decode(found, "replace").encode()
    text = text.removeprefix(codecs.BOM_UTF8)
    if not text or text.isspace():
        return Recognised(format or DEFAULT_FORMAT, f"jsonl{ending}", found, is_empty=is_whole, broken=broken)
    is_called_table = bool(_TABLE_NAME.search(name or Path(path).name))
    container = _container(text, is_whole=is_whole, is_called_table=is_called_table)
    if is_whole and container in rows.DELIMITERS and _has_only_names(text, container, is_called_table=is_called_table):
        return Recognised(format or DEFAULT_FORMAT, container + ending, found, is_empty=True)
    return Recognised(format or _format(text, container), container + ending, found, broken=broken)


class Field(NamedTuple):
    """A field of records: its path, the beginning of what it holds, and how many characters of text are in it.

    A text that comes again counts once, and one that never changes not at all: it says nothing of a record.
    """

    name: str
    beginning: str
    characters: int


def first_fields(path: str | Path, encoding: str = "", *, name: str = "") -> list[Field]:
    """The fields of the first records that can be read, those inside others by their path; most text comes first."""
    records = list(islice(_first_records(path, encoding, name), RECORDS_OF_FIELDS))
    beginnings: dict[str, str] = {}
    texts: dict[str, set[str]] = {}
    for key, value in chain.from_iterable(_leaves(record, "") for record in records):
        beginnings[key] = beginnings.get(key) or _shown(value)
        texts.setdefault(key, set()).add(_text_in(value))
    changing = min(2, len(records))
    numbers = {key: sum(map(len, each)) if len(each) >= changing else 0 for key, each in texts.items()}
    fields = [Field(key, beginning, numbers[key]) for key, beginning in beginnings.items()]
    return sorted(fields, key=lambda field: -field.characters)


def _first_records(path: str | Path, encoding: str, name: str) -> Iterator[Record]:
    """The records at the beginning of a file; of one that cannot be read, those before."""
    try:
        found = recognise(path, format=DEFAULT_FORMAT, encoding=encoding or None, name=name)
        with Path(path).open("rb") as file:
            pieces = islice(cut(file, container=found.container, encoding=found.encoding), SAMPLE_LINES)
            yield from filter(None, map(_record, takewhile(lambda piece: piece.offset < SAMPLE_BYTES, pieces)))
    except Unreadable:
        return


def _leaves(record: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and before.count(".") < MAX_PATH:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _shown(value: object) -> str:
    return printable(value if isinstance(value, str) else str(value)[:SHOWN_CHARACTERS])


def _text_in(value: object) -> str:
    """The text in a value, which may be a list; empty for a name, an address or a key among programs."""
    text = "\n".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value
    return text if isinstance(text, str) and (not text.isascii() or " " in text.strip()) else ""


def _sample(path: Path) -> tuple[bytes, bool, str, Unreadable | None]:
    """The beginning of what the file holds, whether that is all of it, how the file is packed, and what is broken."""
    try:
        if path.exists() and not path.is_file():
            raise Unreadable("not_a_file", name=printable(path.name))
        with path.open("rb") as file:
            packing = compression.packing(file.read(max(map(len, compression.MAGIC))))
            file.seek(0)
            sample, broken = _beginning(compression.unpacked(file, packing) if packing else file)
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable("cannot_open", name=printable(path.name), reason=printable(reason)) from None
    return sample[:SAMPLE_BYTES], len(sample) <= SAMPLE_BYTES and broken is None, packing, broken


def _beginning(stream: encodings.ByteSource) -> tuple[bytes, Unreadable | None]:
    """The first bytes of a stream; of one that is damaged further on, those before, and what is wrong with it."""
    sample, broken = bytearray(), None
    try:
        while len(sample) <= SAMPLE_BYTES and (block := stream.read(SAMPLE_BYTES + 1 - len(sample))):
            sample += block
    except Unreadable as error:
        if not sample:
            raise
        broken = error
    return bytes(sample), broken


def _parquet(path: Path, format: str | None, packing: str) -> Recognised:  # noqa: A002 -- as above
    if packing:
        raise Unreadable("compressed", kind=compression.KINDS[packing])
    with path.open("rb") as file:
        pieces = islice(CONTAINERS["parquet"](file), SAMPLE_LINES)
        first = next(pieces, None)
        if format is None and first is not None:
            format = _format_of(chain([first], pieces))  # noqa: A001 -- as above
    return Recognised(format or DEFAULT_FORMAT, "parquet", "utf-8", is_empty=first is None)


def _encoding(sample: bytes, declared: str | None, *, is_whole: bool) -> str:
    """The encoding in which to read the file, once nothing speaks against it."""
    name = encodings.canonical(declared) if declared else None
    if name is None:
        _refuse_utf16(sample)
    _refuse_other_kinds(sample)
    if name is None:
        _check_utf8(sample, is_whole=is_whole)
        return "utf-8"
    name = encodings.resolved(io.BytesIO(sample), name)
    if name != "utf-8":
        _check_declared(sample, name, is_whole=is_whole)
    return name


def _refuse_utf16(sample: bytes) -> None:
    """Refuse UTF-16 and UTF-32 that were not declared, with a byte order mark or, before ASCII, without."""
    marked = encodings.marked(sample)
    if marked not in {None, "utf-8"}:
        raise Unreadable("other_encoding", guess=str(marked)[:6])
    if _UNMARKED_UTF16.match(sample):
        raise Unreadable("other_encoding", guess="utf-16-be" if sample.startswith(b"\x00") else "utf-16-le")


def _refuse_other_kinds(sample: bytes) -> None:
    for magic, kind in (*ARCHIVES.items(), *PACKED_AGAIN.items()):
        if sample.startswith(magic):
            raise Unreadable("compressed", kind=kind)
    if sample[TAR_PLACE:].startswith(TAR_MAGIC):
        raise Unreadable("compressed", kind="tar")
    head = sample[:SAMPLE_LINES].removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, kind in OTHER_KINDS.items():
        if head.startswith(magic):
            raise Unreadable("not_text", kind=kind)


def _check_utf8(sample: bytes, *, is_whole: bool) -> None:
    """Refuse a file in another encoding; a few faulty lines among lines of UTF-8 are refused one by one later."""
    text = sample if is_whole else sample[:-4] + _INCOMPLETE.sub(b"", sample[-4:])
    first = _first_fault(text, "strict")
    if first is None:
        return
    lines = text.removesuffix(b"\n").split(b"\n")[:SAMPLE_LINES]
    faulty = [line for line in lines if _first_fault(line, "strict") is not None]
    foreign = [line for line in faulty if _is_foreign(line)]
    if len(foreign) * 100 <= len(lines) * MAX_FOREIGN_PERCENT and len(faulty) * 2 <= len(lines):
        return
    line = text.count(b"\n", 0, first) + 1
    guess = encodings.guess(b"\n".join(foreign or faulty))
    if guess is None:
        raise Unreadable("not_utf8_nor_known", line=line, byte=first)
    if sum(not each.isascii() for each in lines) > 2 * len(faulty):
        raise Unreadable("partly_utf8", line=line, byte=first, number=len(faulty), foreign=guess, guess="utf-8")
    raise Unreadable("not_utf8", line=line, byte=first, guess=guess)


def _first_fault(line: bytes, errors: str) -> int | None:
    """The first byte that is not UTF-8."""
    try:
        line.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _is_foreign(line: bytes) -> bool:
    """Whether a line that is not UTF-8 is in another encoding, rather than UTF-8 with a damaged character or CESU-8."""
    if _first_fault(line, "surrogatepass") is None:
        return False
    text = line.decode("utf-8", "surrogateescape")
    wrong = len(_ESCAPED_BYTES.findall(text))
    right = sum(not character.isascii() for character in text) - wrong
    return wrong > max(right, _MORE_THAN_DAMAGE)


def _check_declared(sample: bytes, encoding: str, *, is_whole: bool) -> None:
    """Refuse a file that is not in the encoding it is declared to be in, by the same measure."""
    pieces = list(islice(CONTAINERS["jsonl"](io.BytesIO(sample), encoding=encoding), SAMPLE_LINES))
    pieces = pieces if is_whole else pieces[:-1]
    wrong = [piece for piece in pieces if isinstance(piece, Refusal) and piece.code == "undecodable"]
    if len(wrong) * 100 > len(pieces) * MAX_FOREIGN_PERCENT:
        raise Unreadable("not_in_encoding", encoding=encoding, line=wrong[0].line)


def _has_only_names(text: bytes, container: str, *, is_called_table: bool) -> bool:
    """Whether a table has no row below the names of its columns; a single line of prose has none either."""
    try:
        names = rows.column_names(io.BytesIO(text), container, "utf-8")
        has_rows = next(CONTAINERS[container](io.BytesIO(text)), None) is not None
    except Unreadable:
        return False
    return not has_rows and (is_called_table or _fit_names(names))


def _container(text: bytes, *, is_whole: bool, is_called_table: bool) -> str:
    """Which container ``text`` is in; a list alone on its line before a line with an object is a faulty record."""
    text = text.lstrip()
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"["):
        return "jsonl" if rest.lstrip().startswith(b"{") and fault_position(first) is None else "array"
    if text.startswith(b"{") and _is_returned(text):
        return RETURNED
    if text.startswith(b"{"):
        return "object" if _is_one_object(text, first, rest, is_whole=is_whole) else "jsonl"
    return _text_container(text, is_called_table=is_called_table) or "jsonl"


def _is_returned(text: bytes) -> bool:
    """Whether one of the first lines is of a rejects file, which comes back mended; perhaps the first one is not."""
    return any(_is_entry(line) for line in islice(io.BytesIO(text), SAMPLE_ROWS) if len(line) <= MAX_LINE_BYTES)


def _is_entry(line: bytes) -> bool:
    """Whether a line is one of a rejects file; what its record holds may be what no reader takes."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(entry, dict) and is_returned(entry)


def _is_one_object(text: bytes, first: bytes, rest: bytes, *, is_whole: bool) -> bool:
    """Whether the text is one object with a list of records in it, rather than an object a line."""
    if b"\n{" in text:
        return False
    try:
        item = next(CONTAINERS["object"](io.BytesIO(text)), None)
    except Unreadable:
        return False
    if item is None:
        return False
    if is_whole and not rest.strip() and fault_position(first) is None:
        record = _record(Piece(1, 0, len(first), first, first))
        return record is not None and _fitting(record) is None
    return fault_position(first) is not None


def _text_container(text: bytes, *, is_called_table: bool) -> str:
    """Which container text that is not JSON is in; empty when it is in none."""
    pieces = islice(CONTAINERS["blocks"](io.BytesIO(text)), SAMPLE_BLOCKS)
    if any(piece.fields and _fitting(piece.fields) for piece in pieces if isinstance(piece, Piece)):
        return "blocks"
    found = {name: rows.first_rows(text, delimiter, SAMPLE_ROWS) for name, delimiter in rows.DELIMITERS.items()}
    if table := next((name for name, cells in found.items() if _is_table(cells)), ""):
        return table
    if is_called_table or _is_one_column(found["csv"]):
        return max(found, key=lambda name: max(map(len, found[name]), default=0))
    return ""


def _is_table(found: list[list[str]]) -> bool:
    """Whether the first rows have as many cells, more than one, and the first looks like the names of columns.

    The name of a column may be missing: of the numbers before the rows, or behind a delimiter that ends every row.
    """
    names, *others = found or [[]]
    alike = sum(len(cells) == len(names) for cells in others)
    are_names = any(map(str.strip, names)) and all(len(name) <= MAX_NAME_CHARACTERS for name in names)
    are_objects = sum(cells[0].lstrip("\ufeff \t").startswith(("{", "[")) for cells in found if cells)
    return len(names) > 1 and are_names and alike * 2 >= len(others) and are_objects * 2 <= len(others)


def _is_one_column(found: list[list[str]]) -> bool:
    """Whether the rows have one cell each, and a format knows the name above them."""
    names, *others = found or [[]]
    return len(names) == 1 and bool(others) and all(len(cells) == 1 for cells in others) and _fit_names(names)


def _fit_names(names: list[str]) -> bool:
    """Whether columns of these names fit a format."""
    return _fitting({name.strip(): "-" for name in names}) is not None


def _format(text: bytes, container: str) -> str:
    """The format of the first record that fits one."""
    if container == RETURNED:
        return RETURNED
    pieces = list(islice(CONTAINERS[container](io.BytesIO(text)), SAMPLE_LINES))
    if container == "jsonl" and _SPREAD_OBJECT.match(text) and not any(_fits_any(piece) for piece in pieces):
        raise Unreadable("one_object")
    if container in rows.DELIMITERS and pieces and all(isinstance(piece, Refusal) for piece in pieces):
        raise Unreadable("no_rows", line=pieces[0].line)
    return _format_of(pieces)


def _format_of(pieces: Iterable[Piece | Refusal]) -> str:
    """The format that most of the records fit, each counted for the first that it fits."""
    fitting: Counter[str] = Counter()
    keys: tuple[str, ...] = ()
    is_unclear = False
    for piece in pieces:
        record = _record(piece)
        if record is None:
            is_unclear = is_unclear or _may_be_record(piece)
        elif name := _fitting(record):
            fitting[name] += 1
        else:
            keys = keys or tuple(record)
    if fitting:
        return fitting.most_common(1)[0][0]
    if keys:
        raise Unreadable("unknown_shape", keys=", ".join(map(printable, keys[:12])), known=", ".join(READERS))
    if is_unclear:
        return DEFAULT_FORMAT
    raise Unreadable("no_records")


def _fits_any(piece: Piece | Refusal) -> bool:
    record = _record(piece)
    return record is not None and _fitting(record) is not None


def _fitting(record: Record) -> str | None:
    """The first format that a record fits."""
    return next((name for name, reader in READERS.items() if reader.fits(record)), None)


def _record(piece: Piece | Refusal) -> Record | None:
    if isinstance(piece, Refusal):
        return None
    if piece.fields is not None:
        return piece.fields
    try:
        return parse_object(piece.body)
    except Malformed:
        return None


def _may_be_record(piece: Piece | Refusal) -> bool:
    """Whether something that cannot be parsed at least begins like a record, or is too long to say."""
    if isinstance(piece, Refusal) and piece.code == "line_too_long":
        return True
    return piece.raw.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
