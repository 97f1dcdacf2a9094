from typing import Any

from django.utils.translation import gettext_noop

from cqia_site import first_run
from review.reporting import BilingualCommand


class Command(BilingualCommand):
    help = gettext_noop(
        "Bring the database up to date; on the very first run, load the samples and make the first people."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.check(databases=["default"])
        first_run.set_up(self.stdout.write)
