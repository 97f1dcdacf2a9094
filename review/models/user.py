from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from review.models.tracking import links_tracked, tracked


@tracked("person", exclude=("password", "last_login", "last_name"))
class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox ships no types
    """A person who signs in. What they may do follows from their groups: see `review.access`."""

    sources = models.ManyToManyField(
        "review.Source",
        blank=True,
        related_name="reviewers",
        verbose_name=_("limited to sources"),
        help_text=_("Leave empty for a person who may see every source."),
    )
    language = models.CharField(_("language"), max_length=16, blank=True, default="")

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("username"),
                name="review_user_name_in_any_case",
                violation_error_message=_("Somebody else has this name."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="review_user_email_in_any_case",
                condition=~models.Q(email=""),
                violation_error_message=_("Somebody else has this address."),
            ),
        ]


@links_tracked("role", model_name="RoleEvent")
class RoleGiven(User.groups.through):  # type: ignore[name-defined,misc]  # made by the field
    """A role that a person has; each time one is given or taken away is kept."""

    class Meta:
        proxy = True


@links_tracked("limit", model_name="LimitEvent")
class SourceGiven(User.sources.through):  # type: ignore[name-defined,misc]  # made by the field
    """A source that a person is limited to; each time one is added or taken away is kept."""

    class Meta:
        proxy = True


class Scope(models.TextChoices):
    """What a token may be used for."""

    INGEST_WRITE = "ingest:write", _("upload files and follow their jobs")
    EXPORT_READ = "export:read", _("read published releases and releasable records")
    EXPORT_INTERNAL = "export:internal", _("read releases made for in-house training")


@tracked("token", exclude=("digest", "token_key"))
class Token(AbstractAuthToken):  # type: ignore[misc]  # knox ships no types
    """An API token: stored as a digest, expiring, limited to its scopes."""

    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices), verbose_name=_("scopes"))
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_token_scopes_known",
                condition=models.Q(scopes__contained_by=list(Scope.values)) & ~models.Q(scopes=[]),
                violation_error_message=_("Choose at least one of the known scopes."),
            ),
        ]
