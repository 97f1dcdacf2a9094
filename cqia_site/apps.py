from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig

# Groups are the roles, and what allauth keeps holds secrets: neither is a row to edit. People have pages of their own.
NOT_ADMINISTERED = ("auth.Group", "account.EmailAddress", "mfa.Authenticator", "usersessions.UserSession")


class SiteConfig(AppConfig):
    name = "cqia_site"

    def ready(self) -> None:
        """Register the system checks, and what is done when a second factor is set up."""
        from cqia_site import accounts, checks  # noqa: F401, PLC0415  they register themselves once the apps are loaded


class AdministrationConfig(AdminConfig):
    default_site = "cqia_site.administration.Administration"

    def ready(self) -> None:
        """Register what the apps want administered, and take out what is not."""
        from django.contrib import admin  # noqa: PLC0415  once the apps are loaded

        super().ready()
        for name in NOT_ADMINISTERED:
            admin.site.unregister(apps.get_model(name))
