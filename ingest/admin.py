"""Imports, to be looked up: they are asked for, stopped and taken back on pages of their own."""

from django.contrib import admin
from django.urls import reverse

from ingest.models import Job, Mapping, Reject
from review.admin import HistoryAdmin


@admin.register(Job)
class JobAdmin(HistoryAdmin):
    way_to_source = "source"
    list_display = ("id", "source", "batch", "state", "attempt", "by", "created_at", "finished_at")
    list_filter = ("state", "source")
    list_select_related = ("source", "batch", "by")
    search_fields = ("=id", "batch__name")
    ordering = ("-id",)

    def view_on_site(self, obj: Job) -> str:
        """Return the page of the import."""
        return reverse("ingest:job", args=[obj.pk])


@admin.register(Reject)
class RejectAdmin(HistoryAdmin):
    way_to_source = "chunk__job__source"
    list_display = ("chunk", "line", "code", "pointer")
    search_fields = ("=chunk__job__id",)
    list_filter = ("code",)
    list_select_related = ("chunk",)
    ordering = ("-id",)


@admin.register(Mapping)
class MappingAdmin(HistoryAdmin):
    way_to_source = "source"
    list_display = ("name", "source")
    search_fields = ("name",)
    list_filter = ("source",)
    list_select_related = ("source",)
