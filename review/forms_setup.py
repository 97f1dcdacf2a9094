"""What a manager sets up in the administration: sources and the vocabulary."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from review import search
from review.models import Label, Method, Record, Source

if TYPE_CHECKING:
    SourceModelForm = forms.ModelForm[Source]
    LabelModelForm = forms.ModelForm[Label]
else:  # generic for the type checker only
    SourceModelForm = LabelModelForm = forms.ModelForm

COMMAS = _("Words of the vocabulary, with commas between. A candidate that brings none of its own gets these.")


class SourceForm(SourceModelForm):
    """A source as it is set up here. What has a page of its own is set on that page, where it is checked and tried."""

    methods = forms.MultipleChoiceField(
        label=_("methods"),
        choices=Method,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("How raw material of the source becomes candidates."),
    )

    class Meta:
        model = Source
        fields = (
            *("slug", "name_zh", "name_en", "category", "position", "address", "target", "methods"),
            *("major", "minor", "domain", "labels_go_together", "answer_from", "is_active"),
        )
        help_texts: ClassVar[dict[str, Any]] = {
            "slug": _("Names the source in commands, addresses and files of releases. It stays as it is for ever."),
            "position": _("Its place in lists, the lowest first."),
            "target": _("How many approved records are wanted; 0 for no target."),
            "major": COMMAS,
            "minor": COMMAS,
            "domain": COMMAS,
            "answer_from": _("Who writes its answers, where a candidate does not say. Empty: a reviewer says."),
            "is_active": _("Nothing is imported into a source that is not active; what it has stays."),
        }

    def clean_major(self) -> list[str]:
        return self._known("major")

    def clean_minor(self) -> list[str]:
        return self._known("minor")

    def clean_domain(self) -> list[str]:
        return self._known("domain")

    def _known(self, kind: str) -> list[str]:
        """Return the words, each once; a word that the source did not have before stands in the vocabulary."""
        words: list[str] = list(dict.fromkeys(self.cleaned_data[kind]))
        added = set(words) - set(getattr(self.instance, kind))
        known = set(Label.objects.filter(kind=kind, alias_of=None, name__in=added).values_list("name", flat=True))
        if unknown := [word for word in words if word in added - known]:
            message = _("Not in the vocabulary, or merged into another label: %(words)s.")
            raise ValidationError(message, params={"words": "、".join(unknown)})
        return words


class LabelForm(LabelModelForm):
    """A word of the vocabulary. Merging it makes it an alias of another word of its kind."""

    class Meta:
        model = Label
        fields = ("kind", "name", "alias_of")
        help_texts: ClassVar[dict[str, Any]] = {
            "alias_of": _("The label of the same kind that it is published as. Empty: as itself."),
        }

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        self._keep_what_is_borne()
        self._lead_somewhere(said.get("kind"), said.get("alias_of"))
        return said

    def _keep_what_is_borne(self) -> None:
        """Refuse another word or kind for a label that records bear: they would keep a word that no longer exists."""
        changed = {"kind", "name"} & set(self.changed_data)
        if not self.instance.pk or not changed:
            return
        kind, name = self.initial["kind"], self.initial["name"]
        if search.labelled(Record.objects.all(), kind, name).exists():
            message = _("Records bear this label. Add the new word, and make this one its alias.")
            self.add_error(changed.pop(), message)

    def _lead_somewhere(self, kind: str | None, other: Label | None) -> None:
        """Refuse an alias of another kind, and one that leads back to where it began."""
        if other is None:
            return
        if other.kind != kind:
            self.add_error("alias_of", _("A label is merged into one of its own kind."))
        seen = {other.pk}
        while other.alias_of is not None and other.alias_of_id not in seen:
            other = other.alias_of
            seen.add(other.pk)
        if self.instance.pk in seen:
            self.add_error("alias_of", _("That label is an alias of this one."))
