"""The files of a release, and who fetched which."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from exports.models.release import SHA256, Release
from review.models.triggers import append_only, sealed

PATH = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"


class Artifact(models.Model):
    """A file of a release: where it stands in the release's folder, and the hash that proves it."""

    release = models.ForeignKey(Release, models.PROTECT, related_name="artifacts", verbose_name=_("release"))
    path = models.CharField(_("path"), max_length=200)
    records = models.PositiveIntegerField(_("records"), null=True, blank=True)
    bytes = models.PositiveBigIntegerField(_("bytes"))
    sha256 = models.CharField(_("sha256"), max_length=64)
    text = models.TextField(  # noqa: DJ001  an empty file and one that is not kept differ
        _("text"),
        null=True,
        blank=True,
        help_text=_("Kept for the files that the program words itself: a later one writes the same bytes again."),
    )

    class Meta:
        verbose_name = _("file of a release")
        verbose_name_plural = _("files of releases")
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_artifact_path_once", fields=["release", "path"]),
            models.CheckConstraint(
                name="exports_artifact_path_safe", condition=Q(path__regex=PATH) & ~Q(path__contains="..")
            ),
            models.CheckConstraint(name="exports_artifact_sha256_whole", condition=Q(sha256__regex=SHA256)),
        ]
        triggers: ClassVar = sealed("artifact")

    def __str__(self) -> str:
        return self.path


class Download(models.Model):
    """One time that data left: who took what, by which door."""

    class Door(models.TextChoices):
        PAGE = "page", _("page")
        API = "api", _("API")

    release = models.ForeignKey(
        Release, models.PROTECT, null=True, blank=True, related_name="downloads", verbose_name=_("release")
    )
    path = models.CharField(_("path"), max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    door = models.CharField(_("door"), max_length=4, choices=Door)
    first_byte = models.PositiveBigIntegerField(_("first byte"), default=0)
    bytes = models.PositiveBigIntegerField(_("bytes"), null=True, blank=True)
    query = models.CharField(_("query"), max_length=500, blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("download")
        verbose_name_plural = _("downloads")
        triggers: ClassVar = append_only()
        constraints: ClassVar = [
            models.CheckConstraint(name="exports_download_door_known", condition=Q(door__in=["page", "api"])),
        ]

    def __str__(self) -> str:
        return self.path
