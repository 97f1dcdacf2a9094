"""Checking a release folder by itself: every hash, every count, every line, computed again."""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from zstandard import ZstdError

from exports.comparing import open_lines
from exports.facts import MANIFEST, RECORDS, of_form, placed
from exports.folders import hashed
from exports.options import CQIA
from exports.writers import WRITERS, Writer, parquet

MAX_PROBLEMS = 100
"""As many are named; a folder with more is no better understood by reading on."""

type Rules = dict[str, Callable[[Any], bool]]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(ensure_ascii=False).encode


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _is_task_type(value: object) -> bool:
    return isinstance(value, dict) and list(value) == ["major", "minor"] and all(map(_is_list, value.values()))


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


FIELDS: Rules = {
    "instruction": _is_filled,
    "input": _is_text,
    "output": _is_filled,
    "task_type": _is_task_type,
    "domain": _is_list,
    "metadata": _is_text,
    "answer_from": lambda value: value in ("human", "llm", "expert"),
    "human_verified": lambda value: value is True,
    "copyright": _is_filled,
}
"""The nine fields of a line in their order, each with what it must be."""

RECORD_FIELDS: Rules = {
    "id": _is_number,
    "sha256": _is_sha256,
    "licence": _is_filled,
    "holder": _is_text,
    "external_id": lambda value: value is None or isinstance(value, str),
}
"""What stands in `records/` beside each line."""

FILE_FIELDS: Rules = {
    "path": _is_filled,
    "records": lambda value: value is None or _is_number(value),
    "bytes": _is_number,
    "sha256": _is_sha256,
}
"""What the manifest says of each file."""


@dataclass(slots=True)
class Checked:
    """What was found of a release: the number of its records, and its problems in words."""

    records: int = 0
    problems: list[str] = field(default_factory=list)
    ids: "array[int]" = field(default_factory=lambda: array("q"), repr=False)

    def add(self, problems: Iterable[str]) -> None:
        """Note problems, up to a bearable number."""
        for problem in problems:
            if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
                self.problems.append(problem)


def check_folder(folder: Path, *, progress: Callable[[int, int], object] = lambda _done, _total: None) -> Checked:
    """Check everything in a release folder that can be checked without the database it came from."""
    checked = Checked()
    manifest = _manifest(folder)
    if isinstance(manifest, str):
        checked.add([manifest])
        return checked
    listed = {file["path"]: file for file in manifest["files"]}
    checked.add(_file_problems(folder, listed))
    for source in manifest["sources"]:
        checked.add(_source_problems(folder, source, listed, manifest["licences"], checked))
        progress(checked.records, manifest["records"])
    checked.add(_count_problems(manifest, listed, checked))
    return checked


def _manifest(folder: Path) -> dict[str, Any] | str:
    """Return what the manifest says of files and sources, or what is wrong with it."""
    try:
        said = json.loads((folder / MANIFEST).read_bytes().decode())
        sources = {source["source"]: source["records"] for source in said["sources"]}
        manifest = {
            "files": said["files"],
            "sources": sources,
            "licences": said["policy"]["licences"],
            "records": said["records"],
        }
    except OSError:
        return _("manifest.json is missing or cannot be read: this is no release, or not the whole of it")
    except (ValueError, TypeError, LookupError, RecursionError):
        return _("manifest.json is damaged")
    whole = all(_problem_of(file, FILE_FIELDS) == "" for file in manifest["files"]) and _is_list(list(sources))
    numbers = [manifest["records"], *sources.values()]
    if not whole or not _is_list(manifest["licences"]) or not all(map(_is_number, numbers)):
        return _("manifest.json is damaged")
    return manifest


def _file_problems(folder: Path, listed: dict[str, Any]) -> Iterator[str]:
    """Name the files that are missing, extra, or not those whose size and hash the manifest holds."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    for name, path in found.items():
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            yield _("%(path)s is no regular file") % {"path": name}
        elif path.is_file() and name not in listed and name != MANIFEST:
            yield _("%(path)s does not belong to the release") % {"path": name}
    for name, file in listed.items():
        path = found.get(name, folder / MANIFEST)
        if name not in found or not path.is_file():
            yield _("%(path)s is missing") % {"path": name}
        elif path.stat().st_size != file["bytes"]:
            yield _("%(path)s has been altered: its size differs") % {"path": name}
        elif hashed(path) != file["sha256"]:
            yield _("%(path)s has been altered: its sha256 differs") % {"path": name}


def _source_problems(
    folder: Path, source: str, listed: dict[str, Any], licences: list[str], checked: Checked
) -> Iterator[str]:
    """Name the faulty lines of a source's data and records files, read side by side, and count them."""
    paths = [path for path in of_form(listed, CQIA) if placed(path)[0] == source]
    if not paths:
        yield _("the files of source %(source)s are missing") % {"source": source}
    for path in paths:
        beside = f"{RECORDS}/{path.partition('/')[2]}"
        if not (folder / path).is_file() or not (folder / beside).is_file():
            yield _("the files of source %(source)s are missing") % {"source": source}
            continue
        try:
            yield from _pair_problems(folder, path, beside, licences, checked)
            yield from _form_problems(folder, path, listed)
        except (OSError, EOFError, ZstdError):
            yield _("%(path)s cannot be decompressed") % {"path": path}


def _pair_problems(folder: Path, path: str, beside: str, licences: list[str], checked: Checked) -> Iterator[str]:
    with open_lines(folder / path) as lines, open_lines(folder / beside) as about:
        for number, (line, record) in enumerate(zip_longest(lines, about, fillvalue=b""), start=1):
            checked.records += 1
            for is_data, problem in _line_problems(line, record, licences, checked):
                yield _("%(path)s, line %(line)s: %(problem)s") % {
                    "path": path if is_data else beside,
                    "line": number,
                    "problem": problem,
                }


def _form_problems(folder: Path, path: str, listed: dict[str, Any]) -> Iterator[str]:
    """Name the files of other forms that do not hold what the file of nine fields holds, line by line."""
    stem = path.removeprefix("data/").partition(".jsonl")[0]
    for writer in WRITERS.values():
        others = [
            other
            for other in of_form(listed, writer.name)
            if other.partition("/")[2].startswith(f"{stem}{writer.ending}")
        ]
        for other in others:
            if other != path and (folder / other).is_file() and not _holds_the_same(folder, path, other, writer):
                yield _("%(other)s does not hold what %(path)s holds") % {"other": other, "path": path}


def _holds_the_same(folder: Path, path: str, other: str, writer: Writer) -> bool:
    with open_lines(folder / path) as lines:
        if writer.line is None:
            rows = parquet.rows(folder / other)
            return all(row == _parsed(line) for line, row in zip_longest(lines, rows))
        with open_lines(folder / other) as converted:
            try:
                pairs = zip_longest(lines, converted, fillvalue=b"")
                return all(writer.line(line.removesuffix(b"\n")) + b"\n" == written for line, written in pairs)
            except ValueError:
                return False


def _line_problems(line: bytes, record: bytes, licences: list[str], checked: Checked) -> Iterator[tuple[bool, str]]:
    """Name what is wrong with a line (True), and with what `records/` says of it (False)."""
    problem, _value = _read(line, FIELDS)
    if problem:
        yield True, problem
    problem, value = _read(record, RECORD_FIELDS)
    if problem:
        yield False, problem
        return
    checked.ids.append(value["id"])
    if value["sha256"] != sha256(line.removesuffix(b"\n")).hexdigest():
        yield False, _("its sha256 is not that of the line")
    if value["licence"] not in licences:
        yield False, _("its licence is not in the policy of the release")


def _read(line: bytes, rules: Rules) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a line, or nothing, and its value."""
    value = _parsed(line)
    problem = _problem_of(value, rules) or _wording_problem(value, line)
    return problem, value if isinstance(value, dict) else {}


def _parsed(line: bytes | None) -> object:
    if line is None:
        return None
    try:
        return _decode(line.decode())
    except (ValueError, RecursionError):
        return None


def _problem_of(value: object, rules: Rules) -> str:
    """Say what of the rules an object breaks, or nothing."""
    if not isinstance(value, dict):
        return _("it is missing or no JSON object")
    if list(value) != list(rules):
        return _("it does not hold the fields %(fields)s, in this order") % {"fields": ", ".join(rules)}
    wrong = [name for name, is_right in rules.items() if not is_right(value[name])]
    return _("%(fields)s is not as it must be") % {"fields": ", ".join(wrong)} if wrong else ""


def _wording_problem(value: object, line: bytes) -> str:
    """Compare the bytes with the one way in which this value is written."""
    written = _encode(value).encode("utf-8", "surrogatepass") + b"\n"
    return "" if written == line else _("it is not written the way a release is written")


def _count_problems(manifest: dict[str, Any], listed: dict[str, Any], checked: Checked) -> Iterator[str]:
    if checked.records != manifest["records"]:
        numbers = {"found": checked.records, "stated": manifest["records"]}
        yield _("%(found)s records are there, and the manifest says %(stated)s") % numbers
    for source, records in manifest["sources"].items():
        paths = [path for path in listed if placed(path)[0] == source and "/" in path]
        kinds = {(path.partition("/")[0], ".parquet" in path) for path in paths}
        for folder, is_parquet in sorted(kinds | {("data", False), (RECORDS, False)}):
            here = [path for path in paths if path.startswith(f"{folder}/") and (".parquet" in path) == is_parquet]
            if sum(listed[path]["records"] or 0 for path in here) != records:
                said = ", ".join(sorted(here)) or f"{folder}/{source}.jsonl"
                yield _("the manifest contradicts itself about %(path)s") % {"path": said}
    repeated = sum(one == other for one, other in pairwise(sorted(checked.ids)))
    if repeated:
        yield _("%(number)s ids are there more than once") % {"number": repeated}
