"""Releases and what may leave, to be looked up."""

from django.contrib import admin
from django.urls import reverse

from exports.models import Artifact, Mix, Policy, Release
from review.admin import HistoryAdmin


@admin.register(Policy)
class PolicyAdmin(HistoryAdmin):
    list_display = ("slug", "name_zh", "name_en", "is_internal")
    list_filter = ("is_internal",)
    search_fields = ("slug", "name_zh", "name_en")
    ordering = ("slug",)

    def view_on_site(self, obj: Policy) -> str:
        """Return the page on which the policy is changed."""
        return reverse("exports:policy", args=[obj.slug])


@admin.register(Release)
class ReleaseAdmin(HistoryAdmin):
    list_display = ("version", "policy", "state", "records", "by", "cut_at", "built_at")
    list_filter = ("state", "policy")
    list_select_related = ("policy", "by")
    search_fields = ("version",)
    ordering = ("-id",)

    def view_on_site(self, obj: Release) -> str:
        """Return the page of the release."""
        return reverse("exports:release", args=[obj.version])


@admin.register(Artifact)
class ArtifactAdmin(HistoryAdmin):
    list_display = ("release", "path", "records", "bytes", "sha256")
    list_filter = (("release", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("release",)
    search_fields = ("path", "=sha256")
    ordering = ("-id",)


@admin.register(Mix)
class MixAdmin(HistoryAdmin):
    list_display = ("slug", "name_zh", "name_en")
    search_fields = ("slug", "name_zh", "name_en")
    ordering = ("slug",)

    def view_on_site(self, obj: Mix) -> str:
        """Return the page on which the mix is changed."""
        return reverse("exports:mix", args=[obj.slug])
