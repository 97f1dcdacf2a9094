from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from exports.models.release import Release


class ReleasePart(models.Model):
    """What a builder of a release has yet to write of one source, or has written: there only while it is built.

    Whoever writes it holds it by a lease and a fencing number, as builders hold their release.
    """

    release = models.ForeignKey(Release, models.PROTECT, related_name="parts", verbose_name=_("release"))
    slug = models.CharField(_("source"), max_length=100)
    after = models.PositiveIntegerField(_("rows before it"))
    upto = models.PositiveIntegerField(_("its last row"))
    folder = models.CharField(_("folder"), max_length=200)
    written = models.PositiveIntegerField(_("records written"), default=0)
    fence = models.PositiveIntegerField(_("fence"), default=0)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    is_done = models.BooleanField(_("written whole"), default=False)
    files = models.JSONField(_("files"), default=list)
    kinds = models.JSONField(_("kinds of lines"), default=dict)

    class Meta:
        verbose_name = _("part of a release")
        verbose_name_plural = _("parts of releases")
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_releasepart_once", fields=["release", "slug"]),
            models.CheckConstraint(name="exports_releasepart_rows", condition=Q(after__lte=F("upto"))),
        ]

    def __str__(self) -> str:
        return f"{self.release_id}/{self.slug}"
