from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestConfig(AppConfig):
    name = "ingest"
    verbose_name = _("ingest")

    def ready(self) -> None:
        """See to it that an erased text goes from the files of imports as well."""
        from ingest import erasing  # noqa: PLC0415  models are not loaded yet when this module is
        from review import erasure  # noqa: PLC0415

        erasure.also(erasing.remove)
