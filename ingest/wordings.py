"""Changing the prompt templates of a source."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingest import prompts
from review import access
from review.models import Source
from review.refused import Ground, Refused

if TYPE_CHECKING:
    from review.models import User


@transaction.atomic
def set_templates(
    source: Source, *, by: "User | None", templates: Mapping[str, Sequence[str]], seen: Mapping[str, object]
) -> None:
    """Put these templates, by kind, in place of all that were changed before, for imports to come.

    A kind left out, or worded as the project ships it, has the project's own. `seen` is what the person changed.
    Raises Refused, with the sentence for each kind that cannot be used.
    """
    access.check_manage(by)
    locked = Source.objects.select_for_update().get(pk=source.pk)
    if locked.templates != seen:
        raise Refused(_("Somebody has changed these templates meanwhile. Load the page again."))
    shipped = {kind.name: list(kind.templates) for kind in prompts.shipped_for(source.slug)}
    changed = {name: list(words) for name, words in templates.items() if list(words) != shipped.get(name)}
    if faults := faults_of(source, changed):
        raise Refused(" ".join(faults.values()), ground=Ground.INVALID, fields=faults)
    locked.templates = source.templates = changed
    locked.save(update_fields=["templates"])


def faults_of(source: Source, templates: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return what is wrong with the templates of each kind, in the language in use."""
    faults = {}
    for name, words in templates.items():
        try:
            prompts.kinds_of(source.slug, {name: list(words)})
        except prompts.Unsound as unsound:
            faults[name] = unsound.message(get_language() or "")
    return faults
