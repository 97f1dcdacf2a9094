from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from exports.tokens import create_token
from review.models import Scope, User
from review.refused import Ground, Refused
from review.reporting import BilingualCommand


class Command(BilingualCommand):
    help = gettext_noop("Make an API token for a person. Its secret is printed this once and never kept.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--scope",
            nargs="+",
            action="extend",
            required=True,
            choices=Scope.values,
            metavar="SCOPE",
            help=_("what it may be used for: %(scopes)s") % {"scopes": ", ".join(Scope.values)},
        )
        parser.add_argument("--days", type=int, help=_("how long it is good; without it as long as the settings say"))

    def handle(self, *_args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(_("There is no person called “%(name)s”.") % {"name": options["username"]})
        try:
            token, secret = create_token(user=user, scopes=options["scope"], days=options["days"])
        except Refused as refused:
            raise CommandError(str(refused), returncode=2 if refused.ground == Ground.INVALID else 1) from refused
        said = {"scopes": ", ".join(token.scopes), "until": f"{token.expiry:%Y-%m-%d %H:%M %Z}"}
        self.stderr.write(_("Keep it: it is not shown again. Scopes: %(scopes)s. Good until %(until)s.") % said, str)
        self.stdout.write(secret)
