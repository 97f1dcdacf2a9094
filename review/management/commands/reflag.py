from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from review import reflagging
from review.models import Reflagging, Source
from review.refused import Ground, Refused
from review.reporting import ReportingCommand


class Command(ReportingCommand):
    help = gettext_noop(
        "Set the flags of a source's records anew, by the rules and switches as they are now. No text is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", metavar="SLUG", action="append", help=_("of this source; of all when left out"))

    def work(self, options: dict[str, Any]) -> None:
        """Go through one source after the other; one that is being gone through already is finished."""
        done = [self._done(source) for source in _sources(options["source"])]
        self.conclude({"sources": done})

    def _done(self, source: Source) -> dict[str, object]:
        going = Reflagging.objects.filter(source=source, state=Reflagging.State.RUNNING).first()
        going = going or reflagging.start(source, by=None)
        with self.progress(str(source)) as show:
            reflagging.run(going.pk, progress=show)
        going.refresh_from_db()
        said = {"source": source, "read": f"{going.read:,}", "changed": f"{going.changed:,}"}
        self.say(_("%(source)s: %(read)s records read, %(changed)s with other flags than before.") % said)
        return {name: getattr(going, name) for name in ("read", "changed", "added", "removed")} | {
            "source": source.slug
        }


def _sources(slugs: list[str] | None) -> list[Source]:
    sources = Source.objects.order_by("position", "pk")
    if not slugs:
        return list(sources.filter(records__isnull=False).distinct())
    chosen = list(sources.filter(slug__in=slugs))
    if missing := set(slugs) - {source.slug for source in chosen}:
        message = _("There is no source “%(slug)s”.") % {"slug": min(missing)}
        raise Refused(message, ground=Ground.INVALID)
    return chosen
