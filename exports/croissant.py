"""croissant.json: the release in the vocabulary of ML Commons Croissant 1.0, which data set search engines read."""

import json
from typing import TYPE_CHECKING, Any

from exports.facts import moment, of_form, title
from exports.options import CQIA, Options

if TYPE_CHECKING:
    from exports.facts import Facts, File
    from exports.models import Release

CONTEXT: dict[str, Any] = {
    "@language": "zh",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}" for name in ("citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet")
    },
    **{name: f"cr:{name}" for name in ("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField")},
    **{name: f"cr:{name}" for name in ("path", "recordSet", "references", "regex", "repeated", "replace", "separator")},
    **{name: f"cr:{name}" for name in ("source", "subField", "transform")},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
}
LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "ODC-By-1.0": "https://opendatacommons.org/licenses/by/1-0/",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC-BY-NC-SA-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
}
TYPES = {".gz": "application/gzip", ".zst": "application/zstd", ".jsonl": "application/jsonlines"} | {
    ".parquet": "application/x-parquet",
    ".json": "application/json",
    ".md": "text/markdown",
}
TEXT, TRUTH = "sc:Text", "sc:Boolean"
FIELDS: tuple[tuple[str, str, str, str, bool], ...] = (
    ("instruction", TEXT, "instruction", "", False),
    ("input", TEXT, "input", "", False),
    ("output", TEXT, "output", "", False),
    ("task_type_major", TEXT, "task_type", "$.major", True),
    ("task_type_minor", TEXT, "task_type", "$.minor", True),
    ("domain", TEXT, "domain", "", True),
    ("metadata", TEXT, "metadata", "", False),
    ("answer_from", TEXT, "answer_from", "", False),
    ("human_verified", TRUTH, "human_verified", "", False),
    ("copyright", TEXT, "copyright", "", False),
)
"""What stands where in a line: name, type, key, path below the key, whether it is a list."""


def render(release: "Release", facts: "Facts", files: "list[File]") -> str:
    """Return the metadata of a release that holds `files`, and this one and the manifest beside them."""
    name = title(release)
    said: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"中文指令微调数据集，共 {release.records} 条，每条均由人工核验。 "
        f"A Chinese data set for instruction tuning: {release.records} records, each verified by a person.",
        "version": _version(release.version),
        "alternateName": release.version,
        "datePublished": moment(release),
        "inLanguage": ["zh"],
        "url": ".",
        "citeAs": f"{name}, {moment(release)}",
        "license": [LICENCES.get(licence, licence) for licence in facts.licences] or ["unknown"],
        "distribution": [_file(file) for file in sorted(files, key=lambda file: file.path)],
    }
    if not Options.from_json(release.options).compress:
        lines = of_form([file.path for file in files], CQIA)
        said["recordSet"] = [_records(path) for path in lines]
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


def _version(version: str) -> str:
    """Return a version in the three numbers that the vocabulary asks for, where ours has numbers."""
    numbers = version.removeprefix("v").split(".")
    if len(numbers) > 3 or not all(number.isdecimal() and number.isascii() for number in numbers):  # noqa: PLR2004
        return "1.0.0"
    return ".".join(str(int(number)) for number in [*numbers, "0", "0"][:3])


def _file(file: "File") -> dict[str, Any]:
    ending = f".{file.path.rpartition('.')[2]}"
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": TYPES.get(ending, "application/octet-stream"),
        "sha256": file.sha256,
    }


def _records(path: str) -> dict[str, Any]:
    name = path.partition("/")[2].removesuffix(".jsonl")
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, path, field) for field in FIELDS],
    }


def _field(records: str, path: str, said: tuple[str, str, str, str, bool]) -> dict[str, Any]:
    name, kind, key, below, is_list = said
    source: dict[str, Any] = {"fileObject": {"@id": path}, "extract": {"column": key}}
    if below:
        source["transform"] = {"jsonPath": below}
    field = {"@type": "cr:Field", "@id": f"{records}/{name}", "name": name, "dataType": kind, "source": source}
    return field | {"repeated": True} if is_list else field
