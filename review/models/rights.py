from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import sealed

NO_COPYRIGHT_STATED = "暂无版权及作者信息"


class Licence(models.TextChoices):
    """What may be done with a text: SPDX identifiers, and words where none fits."""

    PUBLIC_DOMAIN = "public-domain", _("public domain")
    CC0 = "CC0-1.0", "CC0 1.0"
    CC_BY = "CC-BY-4.0", "CC BY 4.0"
    CC_BY_SA = "CC-BY-SA-4.0", "CC BY-SA 4.0"
    CC_BY_3 = "CC-BY-3.0", "CC BY 3.0"
    CC_BY_SA_3 = "CC-BY-SA-3.0", "CC BY-SA 3.0"
    ODC_BY = "ODC-By-1.0", "ODC-By 1.0"
    APACHE = "Apache-2.0", "Apache 2.0"
    MIT = "MIT", "MIT"
    ODBL = "ODbL-1.0", "ODbL 1.0"
    PDDL = "PDDL-1.0", "PDDL 1.0"
    GFDL = "GFDL-1.3-or-later", "GFDL 1.3"
    CC_BY_SA_3_CN = "CC-BY-SA-3.0-CN", "CC BY-SA 3.0 CN"
    BSD = "BSD-3-Clause", "BSD 3-Clause"
    MULAN = "MulanPSL-2.0", "Mulan PSL 2.0"
    CC_BY_NC = "CC-BY-NC-4.0", "CC BY-NC 4.0"
    CC_BY_NC_SA = "CC-BY-NC-SA-4.0", "CC BY-NC-SA 4.0"
    CC_BY_NC_3 = "CC-BY-NC-3.0", "CC BY-NC 3.0"
    CC_BY_NC_SA_3 = "CC-BY-NC-SA-3.0", "CC BY-NC-SA 3.0"
    CC_BY_ND = "CC-BY-ND-4.0", "CC BY-ND 4.0"
    CC_BY_NC_ND = "CC-BY-NC-ND-4.0", "CC BY-NC-ND 4.0"
    PERMISSION_GRANTED = "permission-granted", _("permission granted by the holder")
    SITE_TERMS = "site-terms", _("site terms that allow research")
    FAIR_USE = "fair-use", _("fair use claimed")
    UNKNOWN = "unknown", _("unknown")
    RESTRICTED = "restricted", _("restricted")
    OBJECTED = "objected", _("objected to by a reviewer")

    @classmethod
    def never_leaving(cls) -> set[str]:
        """Texts under these leave by no path and under no policy."""
        return {cls.RESTRICTED, cls.OBJECTED}

    @classmethod
    def open(cls) -> set[str]:
        """Public domain, and licences that allow redistribution."""
        return {
            cls.PUBLIC_DOMAIN,
            cls.CC0,
            cls.CC_BY,
            cls.CC_BY_SA,
            cls.CC_BY_3,
            cls.CC_BY_SA_3,
            cls.ODC_BY,
            cls.APACHE,
            cls.MIT,
            cls.ODBL,
            cls.PDDL,
            cls.GFDL,
            cls.CC_BY_SA_3_CN,
            cls.BSD,
            cls.MULAN,
        }

    @classmethod
    def research(cls) -> set[str]:
        """Those that are open, and those that allow research only."""
        return cls.open() | {
            cls.CC_BY_NC,
            cls.CC_BY_NC_SA,
            cls.CC_BY_NC_3,
            cls.CC_BY_NC_SA_3,
            cls.PERMISSION_GRANTED,
            cls.SITE_TERMS,
        }


class Rights(models.Model):
    """A decision on the rights of a source, a batch or a record. A later decision is another row."""

    class Scope(models.TextChoices):
        SOURCE = "source", _("source")
        BATCH = "batch", _("batch")
        RECORD = "record", _("record")

    scope = models.CharField(_("scope"), max_length=6, choices=Scope)
    source = models.ForeignKey(
        "review.Source",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("source"),
    )
    batch = models.ForeignKey(
        "review.Batch",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("batch"),
    )
    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rights_history",
        verbose_name=_("record"),
    )
    holder = models.CharField(_("holder"), max_length=500, blank=True, default="")
    licence = models.CharField(_("licence"), max_length=40, choices=Licence)
    source_address = models.URLField(_("source address"), max_length=2000, blank=True, default="")
    evidence = models.TextField(_("evidence"), blank=True, default="")
    published_text = models.TextField(_("published copyright text"))
    note = models.TextField(_("note"), blank=True, default="")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("rights decision")
        verbose_name_plural = _("rights decisions")
        triggers: ClassVar = sealed("rights", "holder", "source_address", "evidence", "published_text", "note")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_rights_one_scope",
                condition=Q(scope="source", source__isnull=False, batch=None, record=None)
                | Q(scope="batch", source=None, batch__isnull=False, record=None)
                | Q(scope="record", source=None, batch=None, record__isnull=False),
                violation_error_message=_("A rights decision concerns one source, one batch or one record."),
            ),
            models.CheckConstraint(
                name="review_rights_licence_known",
                condition=Q(licence__in=Licence.values),
                violation_error_message=_("Choose one of the known licences."),
            ),
            models.CheckConstraint(
                name="review_rights_published_text_stated",
                condition=~Q(published_text=""),
                violation_error_message=_("State the copyright text to publish."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_licence_display()} {self.holder}".strip()

    @property
    def is_unknown(self) -> bool:
        """Whether it says no more than that nobody knows: what is approved stays out of published releases."""
        return self.licence == Licence.UNKNOWN


class Evidence(models.Model):
    """A file that a decision on rights rests on: a letter, a contract, a picture of a page. Kept as it came."""

    class MediaType(models.TextChoices):
        PDF = "application/pdf", "PDF"
        PNG = "image/png", "PNG"
        JPEG = "image/jpeg", "JPEG"
        TEXT = "text/plain", _("text")

    rights = models.ForeignKey(
        Rights,
        models.PROTECT,
        related_name="files",
        verbose_name=_("rights decision"),
    )
    name = models.CharField(_("name of the file"), max_length=200)
    media_type = models.CharField(_("kind of file"), max_length=20, choices=MediaType)
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.BinaryField(_("sha256"), max_length=32)
    data = models.BinaryField(_("content"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        triggers: ClassVar = sealed("evidence", "name", "data")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_evidence_kind_known",
                condition=Q(media_type__in=["application/pdf", "image/png", "image/jpeg", "text/plain"]),
            ),
            models.CheckConstraint(name="review_evidence_size", condition=Q(size__range=(1, 10 << 20))),
            models.UniqueConstraint(name="review_evidence_once", fields=["rights", "sha256"]),
        ]

    def __str__(self) -> str:
        return self.name
