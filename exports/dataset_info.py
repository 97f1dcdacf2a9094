"""dataset_info.json: how LLaMA-Factory finds the data sets of a release and their columns."""

import json
from typing import TYPE_CHECKING, Any

from exports.facts import UNSPLIT, title

if TYPE_CHECKING:
    from exports.facts import Facts
    from exports.models import Release

TEXTS = {"prompt": "instruction", "query": "input", "response": "output"}
FORMS: dict[str, dict[str, Any]] = {
    "cqia": {"columns": TEXTS},
    "alpaca": {"columns": TEXTS},
    "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
    "messages": {
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    },
}
"""The forms that its trainer reads, and how; Parquet holds what `cqia` holds."""


def render(release: "Release", facts: "Facts") -> str:
    """Return the registry: an entry for each file that can be trained on, named by release, source, split and form."""
    entries: dict[str, Any] = {}
    for form, said in FORMS.items():
        for source in facts.sources:
            for split, paths in facts.paths(form, [source.slug]).items():
                for number, path in enumerate(paths, start=1):
                    name = [title(release), source.slug, *([split] if split != UNSPLIT else [])]
                    name += [*([f"{number:05d}"] if len(paths) > 1 else []), *([form] if form != "cqia" else [])]
                    entries["-".join(name)] = {"file_name": path} | said
    return json.dumps(entries, ensure_ascii=False, indent=2) + "\n"
