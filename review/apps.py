from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ReviewConfig(AppConfig):
    name = "review"
    verbose_name = _("Review")

    def ready(self) -> None:
        """See to it that a migrated database has its roles and its catalogue."""
        from review import sealing  # noqa: PLC0415  models are not loaded yet when this module is

        post_migrate.connect(_furnish, sender=self)
        sealing.register_events()


def _furnish(**_signal: Any) -> None:
    from django.contrib.auth.models import Group  # noqa: PLC0415  models are not loaded yet when this module is

    from review.catalogue import load_catalogue  # noqa: PLC0415
    from review.models import Role, Source  # noqa: PLC0415

    for role in Role.values:
        Group.objects.get_or_create(name=role)
    if not Source.objects.exists():
        load_catalogue()
