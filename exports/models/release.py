"""Releases, and the rows that they froze."""

from functools import reduce
from operator import or_
from typing import ClassVar, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Concat, Lower
from django.utils.translation import gettext_lazy as _

from exports.models.licences import licence_rules, licences_field
from exports.models.policy import Policy, flags_field
from review.models.triggers import NoTruncate, append_only

INTERNAL = "-internal"
BAD_VERSION = _("A version is made of letters, digits, dots, hyphens and underscores, such as v1.0.")
NOT_INTERNAL = _("Only a release for use in the house is called “internal”.")
SHA256 = r"^[0-9a-f]{64}$"
VERSION = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"
FROZEN = (
    *("version", "policy", "is_internal", "licences", "holds_back_flags", "options", "by"),
    *("app_version", "cut_at", "records", "sources", "held_back", "anchor", "aliases", "agreement"),
)
"""What the cut decides of a release, for good."""
FROZEN_SINCE = ("rows_sha256",)
"""The same, of releases that were cut since the column is there."""


def _changes(*fields: str) -> pgtrigger.Q:
    """Return the condition of a trigger that an update changes any of `fields`."""
    return reduce(or_, (pgtrigger.Q(**{f"old__{name}__df": pgtrigger.F(f"new__{name}")}) for name in fields))


def _taken_down() -> Exists:
    return Exists(ReleaseRow.objects.filter(release=OuterRef("pk"), record__takedown__isnull=False))


class ReleaseQuerySet(models.QuerySet["Release"]):
    def available(self) -> Self:
        """Written whole, and not withdrawn."""
        return self.filter(state__in=Release.AVAILABLE)

    def listed(self) -> Self:
        """Written whole, withdrawn ones as well: they stay listed with their reason."""
        return self.filter(state__in=[*Release.AVAILABLE, Release.State.WITHDRAWN])

    def with_suspended(self) -> Self:
        """Annotate whether records have been taken down since the cut, which suspends the files."""
        return self.annotate(is_suspended=_taken_down())

    def suspended(self) -> Self:
        """Those of whose records some have been taken down since the cut."""
        return self.filter(_taken_down())


class Release(models.Model):
    """A version of the data set. What it holds is frozen by its cut and never changes after."""

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        CUT = "cut", _("cut")
        BUILT = "built", _("built")
        PUBLISHED = "published", _("published")
        WITHDRAWN = "withdrawn", _("withdrawn")
        FAILED = "failed", _("failed")

    AVAILABLE = (State.BUILT, State.PUBLISHED)
    BUILDABLE = (State.CUT, State.FAILED, State.BUILT, State.PUBLISHED)

    version = models.CharField(_("version"), max_length=64)
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="releases", verbose_name=_("policy"))
    is_internal = models.BooleanField(_("internal"))
    licences = licences_field()
    holds_back_flags = flags_field()
    name = models.GeneratedField(
        expression=Case(
            When(is_internal=True, version__endswith=INTERNAL, then=F("version")),
            When(is_internal=True, then=Concat(F("version"), Value(INTERNAL))),
            default=F("version"),
        ),
        output_field=models.CharField(_("name"), max_length=80),
        db_persist=True,
        verbose_name=_("name"),
        help_text=_("The version, marked when it is for use in the house only. Its folder has this name."),
    )
    options = models.JSONField(_("options"), default=dict)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.PLANNED)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    app_version = models.CharField(_("version of the program"), max_length=40)
    cut_at = models.DateTimeField(_("cut at"), null=True, blank=True)
    records = models.PositiveIntegerField(_("records"), default=0)
    sources = models.JSONField(_("sources"), default=list)
    held_back = models.JSONField(_("held back"), default=dict)
    anchor = models.JSONField(
        _("last seal of the history"),
        default=dict,
        help_text=_("Its number and hash at the cut: whoever has the release can tell whether history was rewritten."),
    )
    aliases = models.JSONField(_("merged labels"), default=dict)
    agreement = models.JSONField(_("agreement"), default=dict)
    rows_sha256 = models.BinaryField(_("sha256 of the rows"), max_length=32, null=True)

    built_at = models.DateTimeField(_("built at"), null=True, blank=True)
    manifest_sha256 = models.CharField(_("sha256 of the manifest"), max_length=64, blank=True, default="")

    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    suspended_at = models.DateTimeField(
        _("suspended at"),
        null=True,
        blank=True,
        help_text=_("When the takedown was noticed, to tell others; the files are closed from its first moment."),
    )
    reason = models.TextField(_("reason"), blank=True, default="")

    error = models.TextField(_("error"), blank=True, default="")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    fence = models.PositiveIntegerField(_("fence"), default=0)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    builder = models.CharField(_("building machine"), max_length=255, blank=True, default="")

    is_suspended: bool
    """Set by `with_suspended()`."""

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="exports_release_version",
                fields=["version"],
                violation_error_message=_("A release of this version exists already."),
            ),
            models.UniqueConstraint(
                Lower("name"),
                name="exports_release_name",
                violation_error_message=_("A release of this name exists already."),
            ),
            models.CheckConstraint(
                name="exports_release_version_safe",
                condition=Q(version__regex=VERSION) & ~Q(version__contains=".."),
                violation_error_message=BAD_VERSION,
            ),
            models.CheckConstraint(
                name="exports_release_marked_only_internal",
                condition=Q(is_internal=True) | ~Q(version__iendswith=INTERNAL),
                violation_error_message=NOT_INTERNAL,
            ),
            *licence_rules("release"),
            models.CheckConstraint(
                name="exports_release_internal_never_published",
                condition=Q(is_internal=False) | ~Q(state="published"),
                violation_error_message=_("A release for use in the house is never published."),
            ),
            models.CheckConstraint(
                name="exports_release_cut_has_moment",
                condition=Q(state="planned", cut_at=None) | (~Q(state="planned") & Q(cut_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="exports_release_built_has_proof",
                condition=~Q(state__in=["built", "published", "withdrawn"])
                | Q(built_at__isnull=False, manifest_sha256__regex=SHA256),
            ),
            models.CheckConstraint(
                name="exports_release_withdrawn_for_a_reason",
                condition=~Q(state="withdrawn") | (Q(withdrawn_at__isnull=False) & ~Q(reason="")),
                violation_error_message=_("Say why it is withdrawn."),
            ),
            models.CheckConstraint(
                name="exports_release_state_known",
                condition=Q(state__in=["planned", "cut", "built", "published", "withdrawn", "failed"]),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.FSM(
                name="moves",
                field="state",
                transitions=[
                    *(("planned", "cut"), ("cut", "built"), ("cut", "failed"), ("failed", "built")),
                    *(("built", "published"), ("built", "withdrawn"), ("published", "withdrawn")),
                ],
            ),
            pgtrigger.Protect(
                name="born_planned", operation=pgtrigger.Insert, condition=~pgtrigger.Q(new__state="planned")
            ),
            pgtrigger.Protect(
                name="frozen",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__state="planned") & _changes(*FROZEN, *FROZEN_SINCE),
            ),
            pgtrigger.Protect(
                name="proof_frozen",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__manifest_sha256="") & _changes("built_at", "manifest_sha256"),
            ),
            pgtrigger.Trigger(
                name="to_be_sealed",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state="planned", new__state="cut"),
                func=pgtrigger.Func("INSERT INTO review_unsealed (kind, row) VALUES ('release', NEW.id); RETURN NULL;"),
            ),
            pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
            NoTruncate(name="no_truncate"),
        ]

    def __str__(self) -> str:
        return self.version


class ReleaseRow(models.Model):
    """One record of a release, as the cut froze it: this wording, by that decision, under those rights.

    Everything that is written of it comes from here, and from what here points to, which is append-only.
    The line that is published follows from `revision` and `rights`; its sha256 stands in the
    release's `records/` file, and not here: the cut would have to read and hash every text.
    Written by one statement for the whole release, so that no column is checked row by row: the trigger checks them
    all at once, against decisions and rights that are append-only themselves.
    """

    release = models.ForeignKey(
        Release,
        models.PROTECT,
        related_name="rows",
        db_index=False,
        db_constraint=False,
        verbose_name=_("release"),
    )
    position = models.PositiveIntegerField(_("position"))
    record = models.ForeignKey(
        "review.Record",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("record"),
    )
    revision = models.ForeignKey(
        "review.Revision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("revision"),
    )
    verdict = models.ForeignKey(
        "review.Decision",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("verdict"),
    )
    rights = models.ForeignKey(
        "review.Rights",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("rights"),
    )
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)  # noqa: DJ001  as the record

    class Meta:
        verbose_name = _("row of a release")
        verbose_name_plural = _("rows of releases")
        constraints: ClassVar = [
            models.UniqueConstraint(name="exports_releaserow_position", fields=["release", "position"]),
            models.UniqueConstraint(name="exports_releaserow_record_once", fields=["record", "release"]),
        ]
        triggers: ClassVar = [
            *append_only(),
            pgtrigger.Trigger(
                name="only_proven",
                when=pgtrigger.After,
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="incoming"),
                func=pgtrigger.Func("""
                    IF EXISTS (
                        SELECT FROM incoming
                        LEFT JOIN exports_release release ON release.id = incoming.release_id
                            AND release.state = 'planned'
                        LEFT JOIN review_decision decision ON decision.id = incoming.verdict_id
                            AND decision.record_id = incoming.record_id
                            AND decision.revision_id = incoming.revision_id AND decision.approves
                        LEFT JOIN review_rights rights ON rights.id = incoming.rights_id
                        WHERE release.id IS NULL OR decision.id IS NULL
                            OR (rights.id IS NULL AND incoming.rights_id IS NOT NULL)
                            OR COALESCE(rights.licence, 'unknown') <> ALL (release.licences)
                    ) THEN
                        RAISE EXCEPTION 'a release takes, while it is cut, only texts that a decision approved and '
                            'its policy lets leave' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NULL;
                """),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.release_id}/{self.position}"
