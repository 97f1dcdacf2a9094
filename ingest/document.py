"""What every reader yields: a document, or the refusal of a record; and what is said of a file that cannot be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Self

from review.text.faults import FAULTS, Fault, Faulty, Parameters, explain
from review.text.strict import MAX_LINE_BYTES, Malformed

NO_METADATA = "暂无元数据信息"
"""What the published data says where there is no metadata."""

RAW_KEPT_BYTES = 4096
"""How much is kept of a refused record that is longer than a record may be; any other is kept whole, to be mended."""

NO_FACTS: Mapping[str, object] = MappingProxyType({})


class Document(NamedTuple):
    """One record as a reader found it: clean text, labels as they stood, nothing filled in but ``metadata``.

    Labels and ``answer_from`` are ``None`` where the record has no such field, so that the source's own may be taken.
    """

    line: int
    """The number that an editor shows in a file of lines, of a record of several lines its last; in a JSON array the
    number of the element, in Parquet that of the row; from 1."""
    offset: int
    """Byte of the file at which the record begins; what counts as a byte is said by ``Reader.read``."""
    end: int
    """Byte after the record and its line end: here a resumed reading starts."""
    raw: bytes
    """The record as it stood in the file, without its line end."""
    instruction: str
    input: str
    output: str
    major: tuple[str, ...] | None = None
    minor: tuple[str, ...] | None = None
    domain: tuple[str, ...] | None = None
    metadata: str = NO_METADATA
    answer_from: str | None = None
    """``human``, ``llm``, ``expert``, or ``""`` for every other word."""
    external_id: str | None = None
    claimed_human_verified: bool | None = None
    """What the file says of itself; kept, never believed."""
    claimed_copyright: str | None = None
    unknown_keys: tuple[str, ...] = ()
    """Keys that the format does not know, ``task_type/…`` for those inside; their values stay in ``raw``."""
    more_minor: tuple[str, ...] = ()
    """Fine task types that the record itself shows, such as the kind of question, to go with those of the source."""
    more_domain: tuple[str, ...] = ()
    """Fields of knowledge that the record itself names, to go behind those of the source."""
    facts: Mapping[str, object] = NO_FACTS
    """What the source says of the record, for thresholds and prompt templates, by plain English names.

    ``title``, ``body``, ``detail``, ``author``, ``address``, ``created_at``, ``tags`` as text or a tuple of it;
    ``votes``, ``comments``, ``replies``, ``year``, ``rank``, ``score`` as numbers; ``sections`` as {heading: text}.
    An entry without a question has an empty ``instruction`` and its facts: a template makes a candidate of it.
    """
    repairs: tuple[str, ...] = ()
    """The rules that have mended its texts; ``raw`` stays as it was."""
    scorer: str = ""
    """Who was asked for its score, ``rules`` or the name of a model; empty where nobody was."""
    score: float | None = None
    unscored: str = ""
    """Why there is no score although somebody was asked, in a word."""

    def labelled(self, *, minor: Sequence[str], domain: Sequence[str], go_together: bool = False) -> "Document":
        """The same, the labels that it shows itself set behind those that its source has; its own stand if it has any.

        Of several that do not go together, only those are taken that the record names: of the rest a person chooses.
        """
        minors, domains = self.minor, self.domain
        if minors is None and self.more_minor:
            is_whole = go_together or len(minor) == 1
            usual = [word for word in minor if is_whole or any(word in more for more in self.more_minor)]
            minors = (*usual, *(more for more in self.more_minor if not any(word in more for word in usual)))
        if domains is None and self.more_domain:
            usual = list(domain) if go_together or len(domain) == 1 else []
            domains = tuple(dict.fromkeys((*usual, *self.more_domain)))
        return self._replace(minor=minors, domain=domains)


class Dropped(NamedTuple):
    """One record that a rule keeps away; positions as in :class:`Document`."""

    line: int
    offset: int
    end: int
    raw: bytes
    reason: str
    """The name of the rule, under which it is counted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that is not taken, and why; positions as in :class:`Document`."""

    line: int
    offset: int
    end: int
    code: str
    """A key of ``review.text.faults.FAULTS``."""
    pointer: str = ""
    """JSON pointer of the faulty value, ``""`` for the whole record."""
    parameters: Parameters = field(default_factory=dict)
    """What the message's template needs besides the pointer: plain strings and integers, to be stored with the code."""
    raw: bytes = b""
    """The record, or of one beyond the limit the beginning, ``RAW_KEPT_BYTES``."""
    cut: bool = False
    """Whether the record is longer than ``raw``."""

    @classmethod
    def because(cls, fault: Malformed, *, line: int, offset: int, end: int, raw: bytes) -> Self:
        """Refuse the record at this place; ``raw`` may be the whole of it or any beginning beyond the part kept."""
        kept = raw if len(raw) <= MAX_LINE_BYTES else raw[:RAW_KEPT_BYTES]
        return cls(line, offset, end, fault.code, fault.pointer, fault.parameters, kept, len(kept) < len(raw))

    def message(self, language: str = "zh-hans") -> str:
        """What happened and what to do, in Chinese for ``zh…`` and in English for every other language."""
        return explain(FAULTS[self.code], self.pointer, self.parameters, language)


UNREADABLE: dict[str, Fault] = {
    "cannot_open": Fault(
        "The file {name} cannot be opened: {reason}.",
        "无法打开文件 {name}：{reason}。",
    ),
    "not_a_file": Fault(
        "{name} is not a file. Name a file with records.",
        "{name} 不是文件。请指定含有记录的文件。",
    ),
    "unknown_format": Fault(
        "There is no format {format}. Known are: {known}.",
        "没有名为 {format} 的格式。可用的格式：{known}。",
    ),
    "unknown_encoding": Fault(
        "The encoding {encoding} is not supported. Supported are: {known}.",
        "不支持编码 {encoding}。可用的编码：{known}。",
    ),
    "other_encoding": Fault(
        "The file is not UTF-8 but looks like {guess}. Import it again with --encoding {guess}.",
        "文件不是 UTF-8，看起来是 {guess}。请加上 --encoding {guess} 重新导入。",
    ),
    "not_utf8": Fault(
        "The file is not UTF-8: the first fault is in line {line}, at byte offset {byte}. It looks like "
        "{guess}: import it again with --encoding {guess}. (With --encoding utf-8 the lines in UTF-8 are taken, "
        "the others refused.)",
        "文件不是 UTF-8：第一处错误在第 {line} 行、文件偏移 {byte} 字节处。看起来是 {guess}："
        "请加上 --encoding {guess} 重新导入。（若指定 --encoding utf-8，则只收 UTF-8 的行，其余逐行拒绝。）",
    ),
    "partly_utf8": Fault(
        "Most of the file is UTF-8, but {number} of its first lines are not and look like {foreign}, the first of them "
        "line {line}, at byte offset {byte}. Mend them, or import it again with --encoding utf-8: the lines in UTF-8 "
        "are taken, the others refused.",
        "文件大部分是 UTF-8，但前面有 {number} 行不是，看起来是 {foreign}，第一处在第 {line} 行、文件偏移 {byte} 字节"
        "处。请改好这些行，或加上 --encoding utf-8 重新导入：只收 UTF-8 的行，其余逐行拒绝。",
    ),
    "not_utf8_nor_known": Fault(
        "The file is not UTF-8: the first fault is in line {line}, at byte offset {byte}. Save it as UTF-8, "
        "or name its encoding with --encoding. (With --encoding utf-8 the lines in UTF-8 are taken, the others "
        "refused.)",
        "文件不是 UTF-8：第一处错误在第 {line} 行、文件偏移 {byte} 字节处。请另存为 UTF-8，或用 --encoding 指明编码。"
        "（若指定 --encoding utf-8，则只收 UTF-8 的行，其余逐行拒绝。）",
    ),
    "not_in_encoding": Fault(
        "The file cannot be read as {encoding}: the first fault is in line {line}. Name another encoding, or leave "
        "--encoding out.",
        "文件无法按 {encoding} 解码：第一处错误在第 {line} 行。请指定其他编码，或去掉 --encoding。",
    ),
    "compressed": Fault(
        "The file is a {kind} archive. Unpack it and import what is inside.",
        "文件是 {kind} 压缩包。请解压后再导入。",
    ),
    "archive_too_large": Fault(
        "The {kind} file unpacks to more than {bytes} bytes, far more than text does, and was stopped there. Unpack it "
        "and look at what is inside.",
        "{kind} 文件解压后超过 {bytes} 字节，远超正常文本，已在此停止。请解压后查看内容。",
    ),
    "archive_cut_off": Fault(
        "The {kind} file is cut off. What stands before the cut is taken in; send the whole file to add the rest.",
        "{kind} 文件不完整。中断处之前的记录已收入；请重新上传完整文件以补齐其余部分。",
    ),
    "archive_damaged": Fault(
        "The {kind} file is damaged. What stands before the damage is taken in; pack the file again and send it anew.",
        "{kind} 文件已损坏。损坏处之前的记录已收入；请重新压缩后再次上传。",
    ),
    "damaged": Fault(
        "The {kind} file is damaged or not complete. Write it anew.",
        "{kind} 文件已损坏或不完整。请重新生成。",
    ),
    "columns_alike": Fault(
        "Two columns are called {name}. Give each a name of its own in the first row.",
        "有两列都叫 {name}。请在首行给每列不同的名称。",
    ),
    "no_column_names": Fault(
        "The first row (line {line}) cannot be read as the names of the columns. Put the names there.",
        "首行（第 {line} 行）无法读作列名。请在首行写出列名。",
    ),
    "nul_in_names": Fault(
        "The names of the columns (line {line}) hold a NUL character (U+0000). Remove it.",
        "列名（第 {line} 行）含有 NUL 字符（U+0000）。请删除。",
    ),
    "no_rows": Fault(
        "No row of the table can be read below the names of its columns, from line {line} on. Put the names into the "
        "first row, delete what stands above them, such as a title, and give every row as many cells.",
        "表格列名以下没有可读的行（从第 {line} 行起）。请把列名放在首行，删去其上的内容（如标题），"
        "并让每行的单元格数与列数相同。",
    ),
    "no_list": Fault(
        "The file is one JSON object without a list of records. Write one record a line, or a list of records.",
        "文件是单个 JSON 对象，其中没有记录列表。请每行写一条记录，或写成记录的列表。",
    ),
    "not_text": Fault(
        "The file is {kind}, not a file of records. Export the records as JSONL or as a JSON array.",
        "文件是 {kind}，不是记录文件。请将记录导出为 JSONL 或 JSON 数组。",
    ),
    "one_object": Fault(
        "The file is one JSON object spread over several lines. Write one record a line, or a list of records.",
        "文件是跨多行的单个 JSON 对象。请每行写一条记录，或写成记录的列表。",
    ),
    "not_an_array": Fault(
        "The file does not begin with an opening bracket, so it is no JSON array.",
        "文件不以左方括号开头，不是 JSON 数组。",
    ),
    "no_records": Fault(
        "The file holds no JSON objects. Write one record a line, or a list of records.",
        "文件中没有 JSON 对象。请每行写一条记录，或写成记录的列表。",
    ),
    "unknown_shape": Fault(
        "No format fits the records of the file; the first has the keys: {keys}. Name one with --format: {known}.",
        "没有与文件中记录相符的格式；第一条记录的键为：{keys}。请用 --format 指定：{known}。",
    ),
}
"""Every reason for which a whole file is refused, by its stable code."""


class Unreadable(Faulty):
    """A file that cannot be read as a whole; its codes are the keys of ``UNREADABLE``."""

    faults = UNREADABLE
