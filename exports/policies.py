"""The policies that the project ships. What managers have edited since is left alone."""

from typing import Any

from exports.models import Policy
from review.models import Licence

DEFAULT = "research"

SHIPPED: tuple[dict[str, Any], ...] = (
    {
        "slug": "open",
        "name_zh": "开放：公有领域及允许再分发的许可",
        "name_en": "Open: public domain, and licences that allow redistribution",
        "licences": sorted(Licence.open()),
    },
    {
        "slug": DEFAULT,
        "name_zh": "研究：另含非商业许可、权利人授权及允许研究的网站条款",
        "name_en": "Research: also non-commercial licences, permissions granted and site terms that allow research",
        "licences": sorted(Licence.research()),
    },
    {
        "slug": "internal",
        "name_zh": "内部：另含主张合理使用及权利不明的文本，绝不发布",
        "name_en": "Internal: also fair use claimed and texts of unknown rights; never published",
        "licences": sorted(Licence.research() | {Licence.FAIR_USE, Licence.UNKNOWN}),
        "is_internal": True,
    },
)


def load_policies() -> int:
    """Add the shipped policies that are not there yet and return the number of those added."""
    added = [Policy.objects.get_or_create(slug=said["slug"], defaults=said)[1] for said in SHIPPED]
    return sum(added)
