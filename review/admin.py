"""The administration of people, sources and rights. History is there to be read: nobody adds to it here."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.shortcuts import redirect  # noqa: TID251  a page of the admin leads to one of ours
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from review import access, search
from review.models import (
    Batch,
    Category,
    Claim,
    Decision,
    Flag,
    Guideline,
    Label,
    Move,
    Record,
    Retraction,
    Revision,
    Rights,
    Source,
    State,
    Takedown,
    User,
    Withdrawal,
)

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse  # noqa: TID251  the signatures of the admin

    ModelAdmin = admin.ModelAdmin[Any]
    BasePaginator = Paginator[Any]
else:  # generic for the type checker only
    ModelAdmin = admin.ModelAdmin
    BasePaginator = Paginator

PAGE = 50
MOST_COUNTED = 10_000


class BoundedPaginator(BasePaginator):
    """Counts no further than a page that somebody might turn to: at a million rows a list answers as quickly."""

    @cached_property
    def count(self) -> int:
        """The number of rows, `MOST_COUNTED` at most."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages through nothing else
        return rows.order_by().values("pk")[:MOST_COUNTED].count()


class ManagerAdmin(ModelAdmin):
    """Managers may see, add and change; nothing is deleted here."""

    list_per_page = PAGE
    list_max_show_all = PAGE
    show_full_result_count = False
    paginator = BoundedPaginator

    def has_module_permission(self, request: "HttpRequest") -> bool:
        return access.can_manage(request.user)

    def has_view_permission(self, request: "HttpRequest", obj: Model | None = None) -> bool:  # noqa: ARG002
        return access.can_manage(request.user)

    has_add_permission = has_module_permission
    has_change_permission = has_view_permission

    def history_view(
        self, request: "HttpRequest", object_id: str, extra_context: dict[str, Any] | None = None
    ) -> "HttpResponse":
        """Lead to the changes as the database wrote them down, where it does: they are not of this site alone."""
        if not hasattr(self.model, "pgh_event_model"):
            return super().history_view(request, object_id, extra_context)
        asked = {"kind": self.model.pgh_event_model.sealed_as, "of": object_id}
        return redirect(reverse("review:changes", query=asked))

    def has_delete_permission(self, request: "HttpRequest", obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class HistoryAdmin(ManagerAdmin):
    """To be read only: the rows are written by the verbs of review, and the database refuses to change them."""

    def has_add_permission(self, request: "HttpRequest") -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: "HttpRequest", obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


@admin.register(User)
class PersonAdmin(HistoryAdmin):
    """People, to be looked up; what they may do is changed on a page of its own, where it takes effect at once."""

    list_display = ("username", "first_name", "email", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    search_fields = ("username", "first_name", "email")
    fields = (
        ("username", "first_name", "email"),
        ("is_active", "is_staff", "is_superuser"),
        ("groups", "sources", "language"),
        ("date_joined", "last_login"),
    )

    def view_on_site(self, obj: User) -> str:
        """Return the page on which the person is changed."""
        return reverse("review:person", args=[obj.pk])


@admin.register(Category)
class CategoryAdmin(ManagerAdmin):
    list_display = ("slug", "name_zh", "name_en", "position")


@admin.register(Source)
class SourceAdmin(ManagerAdmin):
    """Sources. Their rights are decided as rights, so that the decision stays in the history."""

    list_display = ("slug", "name_zh", "category", "target", "is_active", "rights")
    list_filter = ("category", "is_active")
    list_select_related = ("category", "rights")
    search_fields = ("slug", "name_zh", "name_en")
    readonly_fields = ("rights",)


@admin.register(Label)
class LabelAdmin(ManagerAdmin):
    """The vocabulary. One label is merged into another by becoming its alias; the records keep the word they have."""

    list_display = ("name", "kind", "alias_of")
    list_filter = ("kind",)
    search_fields = ("name",)
    autocomplete_fields = ("alias_of",)
    fields = ("kind", "name", "alias_of", "borne_by")
    readonly_fields = ("borne_by",)

    @admin.display(description=_("what a merge concerns"))
    def borne_by(self, label: Label) -> str:
        """Say, before the label becomes an alias, how many records will be published with the other word."""
        if label.pk is None:
            return ""
        records = search.labelled(Record.objects.live(), label.kind, label.name).order_by()
        said = {"number": records.count(), "approved": records.filter(state=State.APPROVED).count()}
        words = _(
            "%(number)s records bear it, %(approved)s of them approved. As an alias it stays in them, and releases, "
            "stream and feed write the other label."
        )
        return str(words % said)


@admin.register(Batch)
class BatchAdmin(HistoryAdmin):
    list_display = ("name", "source", "by", "at", "rights")
    list_filter = ("source",)
    list_select_related = ("source", "by", "rights")
    search_fields = ("name",)


@admin.register(Rights)
class RightsAdmin(HistoryAdmin):
    """Every decision on rights. New ones are made on the pages of sources and records."""

    list_display = ("licence", "holder", "scope", "source", "batch", "record", "by", "at")
    list_filter = ("scope", "licence")
    list_select_related = ("source", "batch", "record", "by")


@admin.register(Record)
class RecordAdmin(HistoryAdmin):
    list_display = ("id", "source", "state", "round", "assignee", "human_verified")
    list_filter = ("state", "source")
    list_select_related = ("source", "assignee")
    search_fields = ("=id", "=external_id")
    ordering = ("-id",)

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Record]:
        return super().get_queryset(request).defer("key")


@admin.register(Flag)
class FlagAdmin(HistoryAdmin):
    """What the rules point out, to be looked up by rule."""

    list_display = ("rule", "record", "source")
    list_filter = ("rule",)
    list_select_related = ("record__source",)
    search_fields = ("=record__id",)
    ordering = ("-id",)

    @admin.display(description=_("source"))
    def source(self, obj: Flag) -> Source:
        """Return where the record is from."""
        return obj.record.source


@admin.register(Decision)
class DecisionAdmin(HistoryAdmin):
    list_display = ("record", "verdict", "kind", "reviewer", "reason", "seconds", "at")
    list_filter = ("verdict", "kind", ("reviewer", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("record", "reviewer")
    search_fields = ("=record__id",)
    ordering = ("-id",)


@admin.register(Claim)
class ClaimAdmin(HistoryAdmin):
    """Who holds what, and until when."""

    list_display = ("record", "reviewer", "purpose", "lease_until")
    list_filter = ("purpose",)
    list_select_related = ("record", "reviewer")
    ordering = ("-lease_until", "-id")


@admin.register(Move)
class MoveAdmin(HistoryAdmin):
    """What became of records: written by the database itself."""

    list_display = ("record", "from_state", "to_state", "cause", "by", "at")
    list_filter = ("cause", "to_state")
    list_select_related = ("record", "by")
    search_fields = ("=record__id",)
    ordering = ("-id",)


@admin.register(Revision)
class RevisionAdmin(HistoryAdmin):
    """Wordings, but for those of records that were taken down. The list leaves the texts out."""

    list_display = ("id", "record", "number", "author", "at")
    list_select_related = ("record", "author")
    search_fields = ("=record__id",)
    ordering = ("-id",)

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Revision]:
        rows = super().get_queryset(request).filter(record__takedown=None)
        is_list = request.resolver_match is not None and request.resolver_match.url_name == "review_revision_changelist"
        return rows.only("record__id", "number", "author__username", "author__first_name", "at") if is_list else rows


admin.site.register([Guideline, Retraction, Takedown, Withdrawal], HistoryAdmin)
admin.site.site_header = admin.site.site_title = _("CQIA administration")
