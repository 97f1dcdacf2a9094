from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "cqia_site"

    def ready(self) -> None:
        """Register the system checks."""
        from cqia_site import checks  # noqa: F401, PLC0415  checks register themselves once the apps are loaded
