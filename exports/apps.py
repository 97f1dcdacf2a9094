from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Exports")

    def ready(self) -> None:
        """See to it that a migrated database has its policies, and that releases are part of the sealed history."""
        from exports import erasing, history  # noqa: PLC0415  models are not loaded yet when this module is
        from review import erasure, takedowns  # noqa: PLC0415

        post_migrate.connect(_furnish, sender=self)
        history.register()
        erasure.also(erasing.remove)
        if erasing.names_of not in takedowns.SUSPENDED:
            takedowns.SUSPENDED.append(erasing.names_of)


def _furnish(**_kwargs: Any) -> None:
    from exports.policies import load_policies  # noqa: PLC0415  models are not loaded yet when this module is

    load_policies()
