"""The manifest: everything that a program wants to know of a release, and the hash of every file in it."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from exports.facts import INTERNAL_NOTICE, moment, reasons, title

if TYPE_CHECKING:
    from exports.facts import Facts, File, SourceFacts
    from exports.models import Release


def render(release: "Release", facts: "Facts", files: "list[File]") -> str:
    """Return the manifest of a release that holds `files`, the manifest itself apart."""
    said: dict[str, Any] = {
        "name": title(release),
        "version": release.version,
        "internal": release.is_internal,
        **({"notice": INTERNAL_NOTICE} if release.is_internal else {}),
        "cut_at": moment(release),
        "app_version": release.app_version,
        "policy": _policy(release),
        "options": release.options,
        "merged_labels": release.aliases,
        "records": release.records,
        "sources": [_source(source) for source in facts.sources],
        "licences": facts.licences,
        "verification": {"reviewers": facts.reviewers, "edited": facts.edited, "settled": facts.settled}
        | {"judged_by_several": release.agreement.get("several", 0), "agreed": release.agreement.get("agreed", 0)}
        | {name: figure for name, figure in release.agreement.items() if name in AGREEMENT},
        "splits": facts.by_split,
        "held_back": reasons(release.held_back),
        "held_back_by_source": release.held_back,
        **({"history": release.anchor} if release.anchor else {}),
        "files": [asdict(file) for file in sorted(files, key=lambda file: file.path)],
    }
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


AGREEMENT = {"alpha_verdict", "alpha_labels", "edit_distance"}
"""Krippendorff's alpha over what was judged more than once, and the mean edit distance between approved wordings."""


def _policy(release: "Release") -> dict[str, Any]:
    said: dict[str, Any] = {"name": release.policy.slug, "licences": release.licences}
    return said | {"holds_back_flags": release.holds_back_flags} if release.holds_back_flags else said


def _source(source: "SourceFacts") -> dict[str, Any]:
    return {
        "source": source.slug,
        "name_zh": source.described["name_zh"],
        "name_en": source.described["name_en"],
        "category": source.described["category_slug"],
        "records": source.records,
        "licences": source.licences,
        "answer_from": source.answer_from,
        "edited": source.edited,
    }
