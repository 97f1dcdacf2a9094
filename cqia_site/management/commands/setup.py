from typing import Any

from django.core.management.base import BaseCommand

from cqia_site import first_run


class Command(BaseCommand):
    help = "Bring the database up to date; on the very first run, load the samples and make the first people."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.check(databases=["default"])
        first_run.set_up(self.stdout.write)
