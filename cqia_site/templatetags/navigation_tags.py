"""The way around the site: which entries a person finds, and on which they are."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from review.templatetags.review_tags import may

register = template.Library()


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of the site: where it begins, what it is called, and who may enter (a word of `may`).

    What lies below a leaf's address belongs elsewhere, unless it begins as one of `also`.
    """

    name: str
    label: Promise
    who: str = ""
    is_leaf: bool = False
    also: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return reverse(self.name)

    def depth(self, path: str) -> int:
        """Return how closely a path belongs here: by the length of what it begins with, 0 where it does not."""
        beginnings = self.also if self.is_leaf else (self.address, *self.also)
        found = [start for start in beginnings if path.startswith(start)]
        return max(map(len, [*found, self.address] if path == self.address else found), default=0)


MAIN = (
    Entry("home", _("Home"), is_leaf=True),
    Entry("review:queue", pgettext_lazy("navigation", "Review"), "review"),
    Entry(
        "review:records",
        pgettext_lazy("list", "Records"),
        "review",
        is_leaf=True,
        also=("/review/records/bulk/", "/review/bulk/"),
    ),
    Entry("review:sources", _("Sources"), "review"),
    Entry("review:mine", _("My decisions"), "review"),
    Entry("review:disputes", _("Disputes"), "settle"),
    Entry("ingest:jobs", pgettext_lazy("navigation", "Import"), "manage"),
    Entry("exports:releases", _("Releases"), "consume"),
)
MANAGE = (
    Entry("admin:index", _("Dashboard"), "manage"),
    Entry("review:quality", _("Quality"), "manage"),
    Entry("review:guidelines", _("Guidelines"), "manage"),
    Entry("review:rights", _("Rights"), "manage"),
    Entry("review:takedowns", _("Takedowns"), "manage"),
    Entry("exports:policies", _("Policies"), "manage"),
    Entry("exports:webhooks", _("Webhooks"), "manage"),
    Entry("review:people", _("People"), "manage"),
    Entry("review:changes", _("History of the settings"), "manage"),
    Entry("review:proof", _("Proof"), "manage"),
)


@register.inclusion_tag("navigation.html", takes_context=True)
def navigation(context: template.Context) -> dict[str, Any]:
    """Draw the entries that the person may use."""
    path, user = context["request"].path, context["user"]
    allowed = {
        "main": [entry for entry in MAIN if not entry.who or may(user, entry.who)],
        "manage": [entry for entry in MANAGE if may(user, entry.who)],
    }
    closest = max((entry for group in allowed.values() for entry in group), key=lambda entry: entry.depth(path))
    is_here = closest.depth(path) > 0
    return {name: [(entry, is_here and entry == closest) for entry in group] for name, group in allowed.items()}
