from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from review.models.triggers import append_only


class Draw(models.Model):
    """A second look asked for records that were in the queue already: how they were drawn, so that it can be redone."""

    source = models.ForeignKey("review.Source", models.PROTECT, related_name="draws", verbose_name=_("source"))
    seed = models.CharField(_("seed"), max_length=64)
    share = models.DecimalField(_("share of second looks, per cent"), max_digits=5, decimal_places=2)
    looks = models.PositiveSmallIntegerField(_("decisions wanted"))
    undecided = models.PositiveIntegerField(_("undecided records"))
    drawn = models.PositiveIntegerField(_("drawn"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("draw")
        verbose_name_plural = _("draws")
        triggers: ClassVar = append_only()

    def __str__(self) -> str:
        return f"{self.source_id}: {self.drawn}/{self.undecided}"


class Inspection(models.Model):
    """A batch of approved records of which a sample is judged once more; then all stay, or all go back.

    What the batch holds is frozen in `lot`; the sample is the first `sample_size` of it in the order of
    sha256(seed, record). It fails when more than `acceptance` of the sample are found wanting.
    """

    class State(models.TextChoices):
        OPEN = "open", _("being inspected")
        ACCEPTED = "accepted", _("accepted")
        SENT_BACK = "sent_back", _("sent back")

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
        verbose_name=_("import"),
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reviewer"),
    )
    guideline = models.ForeignKey(
        "review.Guideline",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided before this guideline"),
    )
    since = models.DateField(_("from"), null=True, blank=True)
    until = models.DateField(_("to"), null=True, blank=True)
    level = models.CharField(_("inspection level"), max_length=3, default="II")
    quality_limit = models.DecimalField(_("acceptable quality limit, per cent"), max_digits=4, decimal_places=2)
    seed = models.CharField(_("seed"), max_length=64)
    lot_size = models.PositiveIntegerField(_("records"))
    sample_size = models.PositiveIntegerField(_("sample"))
    acceptance = models.PositiveIntegerField(_("defects allowed"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.OPEN)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), db_default=Now())
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closed by"),
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True, default="")
    sent_back = models.PositiveIntegerField(_("records sent back"), default=0)

    class Meta:
        verbose_name = _("inspection")
        verbose_name_plural = _("inspections")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="review_inspection_state_known", condition=Q(state__in=["open", "accepted", "sent_back"])
            ),
            models.CheckConstraint(
                name="review_inspection_sample_within_lot",
                condition=Q(sample_size__gte=1, sample_size__lte=F("lot_size"), acceptance__lt=F("sample_size")),
                violation_error_message=_("A sample holds at least one record, and more than the defects allowed."),
            ),
            models.CheckConstraint(
                name="review_inspection_closed_by_somebody",
                condition=Q(state="open", closed_by=None, closed_at=None)
                | (~Q(state="open") & Q(closed_by__isnull=False, closed_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Inspected(models.Model):
    """One record of a batch under inspection: its place in the drawn order, and what the inspector said of it."""

    inspection = models.ForeignKey(Inspection, models.PROTECT, related_name="lot", verbose_name=_("inspection"))
    place = models.PositiveIntegerField(_("place"))
    record = models.ForeignKey("review.Record", models.PROTECT, related_name="+", verbose_name=_("record"))
    decision = models.ForeignKey(
        "review.Decision",
        models.PROTECT,
        related_name="inspected",
        verbose_name=_("decision inspected"),
    )
    finding = models.OneToOneField(
        "review.Decision",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="finding_of",
        verbose_name=_("finding"),
    )

    class Meta:
        verbose_name = _("record under inspection")
        verbose_name_plural = _("records under inspection")
        constraints: ClassVar = [
            models.UniqueConstraint(name="review_inspected_place", fields=["inspection", "place"]),
            models.UniqueConstraint(name="review_inspected_once", fields=["inspection", "record"]),
        ]

    def __str__(self) -> str:
        return f"{self.inspection_id}/{self.place}"
