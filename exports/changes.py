"""CHANGES.md: what has changed since the release before, counted record by record."""

from typing import TYPE_CHECKING

from exports import comparing
from exports.card import table
from exports.comparing import Change
from exports.facts import title
from exports.models import Release

if TYPE_CHECKING:
    from exports.facts import Facts

HEADS = {
    Change.ADDED: "新增 Added",
    Change.CHANGED: "改动 Changed",
    Change.REMOVED: "移除 Removed",
    Change.RIGHTS: "权利变更 Rights changed",
    Change.UNCHANGED: "未变 Unchanged",
}


def before(release: Release) -> Release | None:
    """Return the release to compare with: the last one that was cut before under the same policy."""
    earlier = Release.objects.filter(policy=release.policy, is_internal=release.is_internal)
    return earlier.filter(cut_at__isnull=False, pk__lt=release.pk).order_by("-pk").first()


def render(release: Release, _facts: "Facts") -> str:
    """Return what changed, in Markdown."""
    other = before(release)
    head = f"# {title(release)}：变更 Changes\n\n"
    if other is None:
        return (
            f"{head}这是策略 `{release.policy.slug}` 下的第一个版本，共 {release.records} 条。\n\n"
            f"This is the first release under the policy `{release.policy.slug}`: {release.records} records.\n"
        )
    counts = comparing.releases(other, release)
    rows = [
        (f"`{slug}`", *(found.get(change.value, 0) for change in Change)) for slug, found in counts.by_source.items()
    ]
    total = ("合计 Total", *counts.total.values())
    return f"""{head}\
与 `{title(other)}`（{other.records} 条）相比。改动指指令、输入、回答、标签、元数据或回答来源有变；\
权利变更指仅许可、权利人或版权说明有变。

Compared with `{title(other)}` ({other.records} records). Changed: instruction, input, answer, labels, metadata or who \
answered differ. Rights changed: only licence, holder or the copyright text differ.

{table(("来源 Source", *HEADS.values()), [*rows, total])}"""
