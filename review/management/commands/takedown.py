import json
from argparse import ArgumentTypeError
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from review import erasure, takedowns
from review.models import Takedown
from review.refused import Ground, Refused
from review.reporting import ReportingCommand
from review.tracing import Asked


def day(text: str) -> date:
    """Read a day as 2024-01-31."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError("YYYY-MM-DD") from error


class Command(ReportingCommand):
    help = gettext_noop(
        "Take texts down at somebody's request: add, list, show, confirm, reverse, erase, export, import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = self._action(actions, "add", _("take a request down and list what it means"))
        self._concern(add)
        add.add_argument("--received", type=day, metavar="YYYY-MM-DD", help=_("when it arrived (default: today)"))
        for name, value, told in (
            ("address", "TEXT", _("an address that stands with the texts")),
            ("author", "NAME", _("an author or holder")),
            ("external-id", "ID", _("the id that the source gave")),
            ("passage", "TEXT", _("a passage; finds nearly equal texts as well")),
            ("passage-file", "FILE", _("the same, from a file")),
        ):
            add.add_argument(f"--{name}", action="append", default=[], metavar=value, help=told)
        add.add_argument(
            "--record", action="append", type=int, default=[], metavar="ID", help=_("a record by its number")
        )
        add.add_argument("--list", dest="listed", metavar="FILE", help=_("#12, a hash, a JSON record or an id a line"))
        add.add_argument("--confirm", action="store_true", help=_("confirm all that is found at once"))
        self._action(actions, "list", _("all takedowns"))
        for name, told in (
            ("show", _("one takedown with what was found")),
            ("confirm", _("take down what is included")),
            ("reverse", _("bring back what was taken down")),
            ("erase", _("erase the texts for good")),
        ):
            action = self._action(actions, name, told)
            action.add_argument("takedown", type=int, metavar="NUMBER")
            if name == "confirm":
                action.add_argument("--without", action="append", type=int, default=[], metavar="RECORD")
            if name == "reverse":
                action.add_argument("--note", default="", help=_("why; kept in the history"))
        export = self._action(actions, "export", _("the list of what is taken down, in hashes alone"))
        export.add_argument("--out", metavar="FILE", help=_("instead of standard output"))
        importing = self._action(actions, "import", _("a list that another data set exported, as a request"))
        importing.add_argument("file", metavar="FILE")
        self._concern(importing)
        importing.add_argument("--confirm", action="store_true", help=_("confirm all that is found at once"))

    def _action(self, actions: Any, name: str, told: str) -> CommandParser:  # noqa: ANN401  argparse's own
        action: CommandParser = actions.add_parser(name, help=told)
        super().add_arguments(action)
        return action

    def _concern(self, action: CommandParser) -> None:
        action.add_argument("--who", required=True, metavar="TEXT", help=_("who asks"))
        action.add_argument("--ground", required=True, metavar="TEXT", help=_("on what ground"))
        action.add_argument("--reference", default="", metavar="TEXT", help=_("number of the letter or case"))

    def work(self, options: dict[str, Any]) -> None:
        """Do one of the actions."""
        getattr(self, f"_{options['action']}")(options)

    def _add(self, options: dict[str, Any]) -> None:
        passages = [*options["passage"], *(_read(path) for path in options["passage_file"])]
        asked = Asked(
            addresses=tuple(options["address"]),
            authors=tuple(options["author"]),
            external_ids=tuple(options["external_id"]),
            passages=tuple(text.strip() for text in passages),
            records=tuple(options["record"]),
        )
        asked = asked.with_list(_read(options["listed"])) if options["listed"] else asked
        begun = monotonic()
        takedown = takedowns.request(by=None, asked=asked, received_on=options["received"], **_concerned(options))
        self._tell(takedown, options, seconds=round(monotonic() - begun, 2))

    def _import(self, options: dict[str, Any]) -> None:
        takedown = takedowns.import_list(_read(options["file"]), by=None, **_concerned(options))
        self._tell(takedown, options)

    def _tell(self, takedown: Takedown, options: dict[str, Any], **more: Any) -> None:
        if options["confirm"] and takedown.matches.exists():
            takedowns.confirm(takedown, by=None)
        self._conclude(takedown, **more)

    def _list(self, _options: dict[str, Any]) -> None:
        listed = [_told(takedown) for takedown in Takedown.objects.order_by("pk")]
        for said in listed:
            self.say("{takedown}  {state:<10}  {received_on}  {requester}  ({matches})".format(**said))
        self.conclude({"takedowns": listed})

    def _show(self, options: dict[str, Any]) -> None:
        self._conclude(_named(options))

    def _confirm(self, options: dict[str, Any]) -> None:
        takedown = _named(options)
        if options["without"]:
            kept = takedown.matches.filter(is_included=True).exclude(record__in=options["without"])
            takedowns.choose(takedown, by=None, included=list(kept.values_list("pk", flat=True)))
        takedowns.confirm(takedown, by=None)
        self._conclude(takedown)

    def _reverse(self, options: dict[str, Any]) -> None:
        takedown = _named(options)
        takedowns.reverse(takedown, by=None, note=options["note"])
        self._conclude(takedown)

    def _erase(self, options: dict[str, Any]) -> None:
        takedown = _named(options)
        erasure.erase(takedown, by=None)
        self._conclude(takedown)

    def _conclude(self, takedown: Takedown, **more: Any) -> None:
        takedown.refresh_from_db()
        found = takedown.matches.select_related("record__source").order_by("-similarity", "pk")
        matches = [
            {
                "record": match.record_id,
                "source": match.record.source.slug if match.record else None,
                "key": bytes(match.key).hex(),
                "similarity": round(match.similarity, 4),
                "included": match.is_included,
            }
            for match in found
        ]
        said = _told(takedown) | {"releases": takedowns.suspended(takedown), **more}
        for match in matches[:50]:
            mark = "✓" if match["included"] else "—"
            self.say(f"#{match['record']}  {match['source']}  {match['similarity']:.2f}  {mark}")
        told = {"number": takedown.pk, "state": takedown.get_state_display(), "found": said["matches"]}
        self.say(_("Takedown %(number)s is %(state)s: %(found)s texts.") % told)
        self.conclude(said | {"found": matches})

    def _export(self, options: dict[str, Any]) -> None:
        lines = [json.dumps(entry, ensure_ascii=False) for entry in takedowns.exported(Takedown.objects.all())]
        text = "".join(f"{line}\n" for line in lines)
        if options["out"]:
            Path(options["out"]).write_text(text, encoding="utf-8")
        elif not self.as_json:
            self.stdout.write(text, ending="")
        self.conclude({"exported": len(lines), "file": options["out"]})


def _concerned(options: dict[str, Any]) -> dict[str, str]:
    return {"requester": options["who"], "ground": options["ground"], "reference": options["reference"]}


def _named(options: dict[str, Any]) -> Takedown:
    takedown = Takedown.objects.filter(pk=options["takedown"]).first()
    if takedown is None:
        raise CommandError(_("There is no takedown %(number)s.") % {"number": options["takedown"]}, returncode=2)
    return takedown


def _told(takedown: Takedown) -> dict[str, Any]:
    return {
        "takedown": takedown.pk,
        "state": takedown.state,
        "requester": takedown.requester,
        "reference": takedown.reference,
        "received_on": takedown.received_on.isoformat(),
        "matches": takedown.matches.filter(is_included=True).count(),
        "records": takedown.records.count(),
        "erase_after": takedown.erase_after.isoformat() if takedown.erase_after else None,
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(_("%(path)s is not UTF-8.") % {"path": path}, ground=Ground.INVALID) from error
