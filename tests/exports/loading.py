"""Loads a release as its users do, offline; run as a program of its own, for the libraries' settings are read once.

Usage: loading.py FOLDER CACHE. Prints what was found as one JSON object.
"""

import json
import os
import sys
from pathlib import Path

folder, cache = map(Path, sys.argv[1:])
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HOME": str(cache),
    "HF_DATASETS_CACHE": str(cache),
}

import datasets  # noqa: E402  it reads its settings when it is loaded
import huggingface_hub  # noqa: E402
import mlcroissant  # noqa: E402

datasets.disable_progress_bars()
card = huggingface_hub.DatasetCard.load(folder / "README.md")
names = datasets.get_dataset_config_names(str(folder))
loaded = {}
for name in names:
    parts = datasets.load_dataset(str(folder), name)
    features = {key: str(kind) for key, kind in next(iter(parts.values())).features.items()} if parts else {}
    loaded[name] = {"splits": {split: part.num_rows for split, part in parts.items()}, "features": features}
default = datasets.load_dataset(str(folder))
issues = mlcroissant.Dataset(jsonld=folder / "croissant.json").metadata.ctx.issues
rows = {}
if "--records" in os.environ.get("LOADING", ""):
    croissant = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    rows = {one.uuid: sum(1 for _ in croissant.records(one.uuid)) for one in croissant.metadata.record_sets}
sys.stdout.write(
    json.dumps(
        {
            "licences": card.data.license,
            "configs": [one["config_name"] for one in card.data.to_dict()["configs"]],
            "loaded": loaded,
            "default": {split: part.num_rows for split, part in default.items()},
            "first": {split: part[0] for split, part in default.items()},
            "croissant": {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "rows": rows},
        },
        ensure_ascii=False,
    )
)
