"""The administration of people, sources and rights. History is there to be read: nobody adds to it here."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import F, Model, Q, QuerySet
from django.shortcuts import redirect  # noqa: TID251  a page of the admin leads to one of ours
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from review import access, search
from review.forms_setup import LabelForm, SourceForm
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
from review.models.clock import ClockTimestamp

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse  # noqa: TID251  the signatures of the admin

    ModelAdmin = admin.ModelAdmin[Any]
    SimpleListFilter = admin.SimpleListFilter
    BasePaginator = Paginator[Any]
else:  # generic for the type checker only
    ModelAdmin = admin.ModelAdmin
    SimpleListFilter = admin.SimpleListFilter
    BasePaginator = Paginator

NOTHING_CHOSEN = _("- Select an option -")
"""A word of Django's that its Chinese catalogue lacks: ours has it."""
PAGE = 50
MOST_COUNTED = 10_000
PAGES_OF_A_SOURCE = {
    "review:source-rights": _("Rights"),
    "review:source-rules": _("Rules and thresholds"),
    "review:second-looks": _("Second looks"),
    "review:source-copyright-text": _("Copyright text"),
    "review:guideline": _("Guideline"),
}


class BoundedPaginator(BasePaginator):
    """Counts no further than a page that somebody might turn to: at a million rows a list answers as quickly."""

    @cached_property
    def count(self) -> int:
        """The number of rows, `MOST_COUNTED` at most."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages through nothing else
        return rows.order_by().values("pk")[:MOST_COUNTED].count()


class ManagerAdmin(ModelAdmin):
    """Managers may see, add and change; nothing is deleted here."""

    way_to_source: str = ""
    """The way from a row to its source: who is limited to some sources sees the rows of those alone."""
    list_per_page = PAGE
    list_max_show_all = PAGE
    show_full_result_count = False
    paginator = BoundedPaginator

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Any]:
        rows = super().get_queryset(request)
        limits = access.limited_to(cast("User", request.user)) if self.way_to_source else None
        return rows.filter(**{f"{self.way_to_source}__in": limits}) if limits else rows

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
    search_fields = ("slug", "name_zh", "name_en")
    ordering = ("position", "pk")

    def get_readonly_fields(self, request: "HttpRequest", obj: Model | None = None) -> tuple[str, ...]:  # noqa: ARG002
        return ("slug",) if obj else ()


@admin.register(Source)
class SourceAdmin(ManagerAdmin):
    """Sources. What is decided or tried out on a page of its own leads there."""

    form = SourceForm
    way_to_source = "pk"
    list_display = ("slug", "name_zh", "name_en", "category", "target", "is_active", "rights")
    list_filter = ("category", "is_active")
    list_select_related = ("category", "rights")
    search_fields = ("slug", "name_zh", "name_en")
    ordering = ("category__position", "position", "pk")

    def get_fieldsets(self, request: "HttpRequest", obj: Source | None = None) -> Any:  # noqa: ANN401, ARG002
        own = [
            (None, {"fields": ("slug", ("name_zh", "name_en"), ("category", "position"), "address", "is_active")}),
            (
                _("what is wanted"),
                {"fields": ("target", "methods", "answer_from", "major", "minor", "domain", "labels_go_together")},
            ),
        ]
        return [*own, (_("set on pages of their own"), {"fields": ("rights", "elsewhere")})] if obj else own

    def get_readonly_fields(self, request: "HttpRequest", obj: Source | None = None) -> tuple[str, ...]:  # noqa: ARG002
        return ("slug", "rights", "elsewhere") if obj else ()

    def view_on_site(self, obj: Source) -> str:
        """Return the page of the source."""
        return reverse("review:source", args=[obj.slug])

    @admin.display(description=_("pages"))
    def elsewhere(self, source: Source) -> str:
        """Lead to the pages on which the rest of the source is set."""
        pages = ((reverse(name, args=[source.slug]), label) for name, label in PAGES_OF_A_SOURCE.items())
        return format_html_join(" · ", '<a href="{}">{}</a>', pages)


@admin.register(Label)
class LabelAdmin(ManagerAdmin):
    """The vocabulary. One label is merged into another by becoming its alias; the records keep the word they have."""

    form = LabelForm
    list_display = ("name", "kind", "alias_of")
    list_filter = ("kind", ("alias_of", admin.EmptyFieldListFilter))
    list_select_related = ("alias_of",)
    search_fields = ("name",)
    autocomplete_fields = ("alias_of",)
    ordering = ("kind", "name")
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
    way_to_source = "source"
    list_display = ("name", "source", "by", "at", "rights")
    list_filter = ("source",)
    list_select_related = ("source", "by", "rights")
    search_fields = ("name",)


@admin.register(Rights)
class RightsAdmin(HistoryAdmin):
    """Every decision on rights. New ones are made on the pages of sources and records."""

    search_fields = ("holder", "=record__id", "batch__name")
    ordering = ("-id",)
    list_display = ("licence", "holder", "scope", "source", "batch", "record", "by", "at")
    list_filter = ("scope", "licence")
    list_select_related = ("source", "batch", "record", "by")

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Rights]:
        limits, rows = access.limited_to(cast("User", request.user)), super().get_queryset(request)
        of_those = Q(source__in=limits) | Q(batch__source__in=limits) | Q(record__source__in=limits)
        return rows.filter(of_those) if limits else rows


@admin.register(Record)
class RecordAdmin(HistoryAdmin):
    way_to_source = "source"
    list_display = ("id", "source", "state", "round", "assignee", "is_verified")
    list_filter = ("state", "source")
    list_select_related = ("source", "assignee")
    search_fields = ("=id", "=external_id")
    ordering = ("-id",)

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Record]:
        return super().get_queryset(request).defer("key")

    @admin.display(boolean=True, description=_("verified by a person"))
    def is_verified(self, record: Record) -> bool:
        return bool(record.human_verified)


@admin.register(Flag)
class FlagAdmin(HistoryAdmin):
    """What the rules point out, to be looked up by rule."""

    way_to_source = "record__source"
    list_display = ("rule", "record", "source")
    list_filter = ("rule",)
    list_select_related = ("record__source",)
    search_fields = ("=record__id",)
    ordering = ("-id",)

    @admin.display(description=_("source"))
    def source(self, obj: Flag) -> Source:
        """Return where the record is from."""
        return obj.record.source


class EditedFilter(SimpleListFilter):
    """Decisions by which the wording was changed, and those that took it as it stood."""

    title = _("edited")
    parameter_name = "edited"

    def lookups(self, request: "HttpRequest", model_admin: ModelAdmin) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request: "HttpRequest", queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        as_it_stood = Q(revision=F("seen_revision"))
        found = {"yes": ~as_it_stood, "no": as_it_stood}
        return queryset.filter(found.get(self.value() or "", Q()))


class HeldFilter(SimpleListFilter):
    """Claims whose lease has not ended, by the clock of the database."""

    title = _("held now")
    parameter_name = "held"

    def lookups(self, request: "HttpRequest", model_admin: ModelAdmin) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [("yes", _("yes"))]

    def queryset(self, request: "HttpRequest", queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(lease_until__gt=ClockTimestamp()) if self.value() == "yes" else queryset


@admin.register(Decision)
class DecisionAdmin(HistoryAdmin):
    way_to_source = "record__source"
    list_display = ("record", "verdict", "kind", "reviewer", "reason", "seconds", "at")
    list_filter = (
        "verdict",
        "kind",
        EditedFilter,
        ("reviewer", admin.RelatedOnlyFieldListFilter),
        ("record__source", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("record", "reviewer")
    search_fields = ("=record__id",)
    ordering = ("-id",)


@admin.register(Claim)
class ClaimAdmin(HistoryAdmin):
    """Who holds what, and until when."""

    way_to_source = "record__source"
    list_display = ("record", "reviewer", "purpose", "lease_until")
    list_filter = ("purpose", HeldFilter)
    list_select_related = ("record", "reviewer")
    ordering = ("-lease_until", "-id")


@admin.register(Move)
class MoveAdmin(HistoryAdmin):
    """What became of records: written by the database itself."""

    way_to_source = "record__source"
    list_display = ("record", "from_state", "to_state", "cause", "by", "at")
    list_filter = ("cause", "to_state")
    list_select_related = ("record", "by")
    search_fields = ("=record__id",)
    ordering = ("-id",)


@admin.register(Revision)
class RevisionAdmin(HistoryAdmin):
    """Wordings, but for those of records that were taken down. The list leaves the texts out."""

    exclude = ("task_type_text", "domain_text")
    way_to_source = "record__source"
    list_display = ("id", "record", "number", "author", "at")
    list_select_related = ("record", "author")
    search_fields = ("=record__id",)
    ordering = ("-id",)

    def get_queryset(self, request: "HttpRequest") -> QuerySet[Revision]:
        rows = super().get_queryset(request).filter(record__takedown=None)
        is_list = request.resolver_match is not None and request.resolver_match.url_name == "review_revision_changelist"
        return rows.only("record__id", "number", "author__username", "author__first_name", "at") if is_list else rows


@admin.register(Guideline)
class GuidelineAdmin(HistoryAdmin):
    """Every version of what reviewers go by. A new one is written on the page of the guideline."""

    list_display = ("source", "version", "by", "at")
    list_filter = (("source", admin.RelatedOnlyFieldListFilter),)
    list_display_links = ("version",)
    list_select_related = ("source", "by")
    search_fields = ("text",)
    ordering = ("-id",)


@admin.register(Retraction)
class RetractionAdmin(HistoryAdmin):
    """Imports that were taken back."""

    way_to_source = "batch__source"
    list_display = ("batch", "reason", "by", "at")
    list_filter = (("by", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("batch", "by")
    search_fields = ("batch__name", "reason")
    ordering = ("-id",)


@admin.register(Takedown)
class TakedownAdmin(HistoryAdmin):
    """Requests to take texts down. They are received and confirmed on pages of their own."""

    list_display = ("id", "requester", "state", "received_on", "confirmed_at", "erase_after", "erased_at", "by")
    list_filter = ("state",)
    list_select_related = ("by",)
    search_fields = ("=id", "requester", "reference")
    ordering = ("-id",)


@admin.register(Withdrawal)
class WithdrawalAdmin(HistoryAdmin):
    """Decisions that no longer count, and why."""

    way_to_source = "decision__record__source"
    list_display = ("decision", "kind", "reason", "by", "at")
    list_filter = ("kind",)
    list_select_related = ("decision", "by")
    search_fields = ("=decision__record__id",)
    ordering = ("-id",)


admin.site.site_header = admin.site.site_title = _("CQIA administration")
