"""Loading the catalogue of sources that the project ships. What managers have edited since is left alone."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from review.models import Category, Source

CATALOGUE = Path(__file__).with_name("catalogue.json")


@transaction.atomic
def load_catalogue(path: Path = CATALOGUE) -> int:
    """Add the categories and sources that are not there yet and return the number of sources added."""
    catalogue = json.loads(path.read_text(encoding="utf-8"))
    categories = {
        entry["slug"]: Category.objects.get_or_create(slug=entry["slug"], defaults=entry)[0]
        for entry in catalogue["categories"]
    }
    present = set(Source.objects.values_list("slug", flat=True))
    added = [
        _source(entry, position, categories[entry["category"]])
        for position, entry in enumerate(catalogue["sources"], start=1)
        if entry["slug"] not in present
    ]
    Source.objects.bulk_create(added)
    return len(added)


def _source(entry: dict[str, Any], position: int, category: Category) -> Source:
    same = {
        name: entry[name]
        for name in (
            *("slug", "name_zh", "name_en", "target"),
            *("major", "minor", "domain", "labels_go_together", "answer_from"),
        )
    }
    return Source(
        **same,
        position=position,
        category=category,
        methods=entry["method"],
        address=entry["url"],
        rules=dict.fromkeys(entry["silent"], False),  # what is no defect in this source
    )
