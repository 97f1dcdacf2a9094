"""The data card: what a person reads first, and what `load_dataset` reads at all. Every figure in it is counted."""

import json
from typing import TYPE_CHECKING

from exports.facts import ALL, INTERNAL_NOTICE, NOT_IN_MIX, moment, reasons, title
from exports.options import CQIA, Options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exports.facts import Facts
    from exports.models import Release

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HUB_LICENCES = {
    "CC0-1.0": "cc0-1.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-SA-3.0": "cc-by-sa-3.0",
    "ODC-By-1.0": "odc-by",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "unknown": "unknown",
}
_FEATURES = """\
  features:
  - name: instruction
    dtype: string
  - name: input
    dtype: string
  - name: output
    dtype: string
  - name: task_type
    struct:
    - name: major
      sequence: string
    - name: minor
      sequence: string
  - name: domain
    sequence: string
  - name: metadata
    dtype: string
  - name: answer_from
    dtype: string
  - name: human_verified
    dtype: bool
  - name: copyright
    dtype: string
"""
_FIELDS = """\
| 字段 Field | 类型 Type | 含义 Meaning |
|---|---|---|
| `instruction` | string | 指令或问题 The question or order |
| `input` | string | 补充材料，没有则为空 Extra material, empty when there is none |
| `output` | string | 回答 The answer |
| `task_type` | {"major": [string], "minor": [string]} | 任务类型 Main and fine task types |
| `domain` | [string] | 领域 Fields of knowledge |
| `metadata` | string | 来源元数据 Facts of the source |
| `answer_from` | human · llm · expert | 回答的来源 Who wrote the answer |
| `human_verified` | bool | 已由人工核验现有文本 A person has checked this text as it stands |
| `copyright` | string | 作者及版权信息 Author and rights |
"""
NUMBERS = ("条数", "经修订", "新增", "改动", "移除", "权利变更", "未变", "上限")
"""What the heads of columns of numbers begin with."""
_REASONS = {
    "rights-unknown": "权利不明 Rights unknown",
    "rights-restricted": "权利受限 Rights restricted",
    "rights-objected": "审核者对权利提出异议 A reviewer objected to the rights",
    "licence-not-in-policy": "许可不在本策略之内 Licence outside this policy",
    "taken-down": "已下架 Taken down",
    "retracted": "所属导入已撤回 Import retracted",
    "sent-back": "验收未通过，已打回 Sent back after an inspection",
    "flagged": "带有本策略规定暂不发布的标记 Flagged by a rule that this policy heeds",
    NOT_IN_MIX: "未被配比抽中 Not drawn by the mix",
}


def render(release: "Release", facts: "Facts") -> str:
    """Return the card of a release, in Markdown with YAML front matter."""
    options = Options.from_json(release.options)
    parts = [_front_matter(release, facts), _head(release), _contents(release, facts), _drawn(options, facts)]
    parts += [_rights(release, facts), _verification(release, facts), _held_back(release), _files(options)]
    return "\n".join(part for part in parts if part)


def _front_matter(release: "Release", facts: "Facts") -> str:
    licences = sorted({_HUB_LICENCES.get(licence, "other") for licence in facts.licences})
    lines = ["---", f"pretty_name: {_quoted(title(release))}", "language:", "- zh"]
    if licences:
        lines += ["license:", *(f"- {licence}" for licence in licences)]
    lines += ["task_categories:", "- text-generation", "size_categories:", f"- {_size(release.records)}"]
    if release.is_internal:
        lines += ["tags:", "- internal-only"]
    if facts.sources:
        slugs = [source.slug for source in facts.sources]
        lines += ["configs:", _config(ALL, facts, slugs), *(_config(slug, facts, [slug]) for slug in slugs)]
        lines += ["dataset_info:", *(f"- config_name: {_quoted(name)}\n{_FEATURES}".rstrip() for name in [ALL, *slugs])]
    return "\n".join([*lines, "---", ""])


def _config(name: str, facts: "Facts", slugs: "Collection[str]") -> str:
    lines = [f"- config_name: {_quoted(name)}"]
    if name == ALL:
        lines.append("  default: true")
    lines.append("  data_files:")
    for split, paths in facts.paths(CQIA, slugs).items():
        lines += [f"  - split: {split}", "    path:", *(f"    - {_quoted(path)}" for path in paths)]
    return "\n".join(lines)


def _size(records: int) -> str:
    return next((name for limit, name in _SIZES if records < limit), "1M<n<10M")


def _head(release: "Release") -> str:
    lines = [f"# {title(release)}", ""]
    if release.is_internal:
        lines += [f"> **⚠ {INTERNAL_NOTICE}**", ""]
    lines += [
        f"中文指令微调数据集，共 {release.records} 条，定版于 {moment(release)}。",
        "",
        f"A Chinese data set for instruction tuning: {release.records} records, cut at {moment(release)}.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'load_dataset("path/to/this/folder", "{ALL}")',
        "```",
        "",
        "## 字段 Fields",
        "",
        _FIELDS,
    ]
    return "\n".join(lines)


def _contents(release: "Release", facts: "Facts") -> str:
    rows = [
        (
            f"{said['category_name_zh']} {said['category_name_en']}",
            f"{said['name_zh']} {said['name_en']}",
            f"`{source.slug}`",
            source.records,
            ", ".join(f"{name} {number}" for name, number in source.answer_from.items()),
            source.edited,
        )
        for source in facts.sources
        for said in [source.described]
    ]
    heads = ("类别 Category", "来源 Source", "配置 Config", "条数 Records", "回答 Answers", "经修订 Edited")
    total = ("", "合计 Total", f"`{ALL}`", release.records, "", facts.edited)
    return f"## 内容 Contents\n\n{table(heads, [*rows, total])}"


def _drawn(options: Options, facts: "Facts") -> str:
    """Say how the release was drawn from what could have left, and how it is divided."""
    parts = []
    if options.mix:
        others = "全部 all" if options.mix.others is None else options.mix.others
        caps = [*((f"`{slug}`", cap) for slug, cap in options.mix.caps), ("其余各来源 every other source", others)]
        parts.append(
            f"## 配比 Mix\n\n每个来源至多取下列条数，由种子 {options.mix.seed} 抽取。 "
            f"At most so many of each source, drawn by the seed {options.mix.seed}.\n\n"
            f"{table(('来源 Source', '上限 Cap'), caps)}"
        )
    if options.splits:
        shares = dict(options.splits)
        rows = [(f"`{name}`", shares[name], number) for name, number in facts.by_split.items()]
        parts.append(
            "## 划分 Splits\n\n按指令与输入的哈希划分：同一问题的所有回答都在同一份中，且各版本一致。 "
            "By a hash of instruction and input: all answers to one question fall into one split, in every release."
            f"\n\n{table(('划分 Split', '份额 Share', '条数 Records'), rows)}"
        )
    return "\n".join(parts)


def _rights(release: "Release", facts: "Facts") -> str:
    policy = release.policy
    shown = table(("许可 Licence", "条数 Records"), facts.licences.items())
    return f"""\
## 权利 Rights

发布策略 `{policy.slug}`：{policy.name_zh}。每条记录的许可与权利人见 `records/`。

Policy `{policy.slug}`: {policy.name_en}. The licence and holder of every record stand in `records/`.

{shown}"""


def _verification(release: "Release", facts: "Facts") -> str:
    said = f"""\
## 核验 Verification

每条记录都由审核者按现有文本逐条通过：共 {facts.reviewers} 人审核，其中 {facts.edited} 条经审核者修订，\
{facts.settled} 条在意见不一后由仲裁者裁定。

Every record was approved by a person, in exactly this wording: {facts.reviewers} people decided, reviewers edited \
{facts.edited} of the records, and {facts.settled} were settled after reviewers had differed.
"""
    several, agreed = release.agreement.get("several", 0), release.agreement.get("agreed", 0)
    if not several:
        return said
    return f"""{said}
由多人独立审核的有 {several} 条，其中 {agreed} 条（{agreed / several:.1%}）意见一致，未经仲裁。

{several} were judged by several people on their own; on {agreed} of them ({agreed / several:.1%}) they agreed without \
a settler.
{_alpha(release)}"""


def _alpha(release: "Release") -> str:
    figure = release.agreement.get("alpha_verdict")
    if figure is None:
        return ""
    return f"""
就这些来源中经多人审核的全部记录（含被驳回者）而言，结论的 Krippendorff α 为 {figure:.3f}。

Over all that several people judged in these sources, what was rejected included, Krippendorff's alpha of their \
verdicts is {figure:.3f}.
"""


def _held_back(release: "Release") -> str:
    held = reasons(release.held_back)
    if not held:
        return ""
    shown = table(("原因 Reason", "条数 Records"), [(_REASONS[reason], number) for reason, number in held.items()])
    return f"""\
## 未收录 Held back

已通过审核但未收录的记录。 Approved records that this release does not hold.

{shown}"""


_FORMS = {
    CQIA: "`data/`：每行一条记录 one record a line, nine fields",
    "parquet": "`data/*.parquet`：同样的记录，列表为嵌套列 the same records, lists as nested columns",
    "alpaca": "`alpaca/`：instruction, input, output",
    "sharegpt": "`sharegpt/`：conversations, human and gpt",
    "messages": "`messages/`：messages, user and assistant",
}


def _files(options: Options) -> str:
    forms = "".join(f"- {_FORMS[name]}\n" for name in _FORMS if name in options.formats)
    packed = f"\n按 {options.compress} 压缩。 Compressed by {options.compress}.\n" if options.compress else ""
    return f"""\
## 文件 Files

{forms}\
- `records/`：与数据文件逐行对应：编号、该行（不含换行符）的 sha256、许可、权利人、外部编号
  line by line beside the data: id, sha256 of the line without its newline, licence, holder, external id
- `manifest.json`：每个文件的 sha256 与条数 sha256 and records of every file
- `CHANGES.md`：与上一版本相比的变更 what has changed since the release before
- `dataset_info.json`：供 LLaMA-Factory 使用 for LLaMA-Factory
- `croissant.json`：Croissant 元数据 Croissant metadata
{packed}"""


def table(heads: "Iterable[str]", rows: "Iterable[Iterable[object]]") -> str:
    """Return a table in Markdown; columns of numbers stand to the right."""
    lines = [list(heads)]
    body = [[_cell(value) for value in row] for row in rows]
    rule = [["--:" if head.startswith(NUMBERS) else "---" for head in lines[0]]]
    return "".join(f"| {' | '.join(row)} |\n" for row in [*lines, *rule, *body])


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
