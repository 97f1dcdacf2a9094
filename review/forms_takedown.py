"""What a person says of a takedown."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from review.tracing import Asked

MAX_LIST_BYTES = 5 << 20


class ListField(forms.FileField):
    """A text file in UTF-8, a few MiB at most; its text is its value."""

    def clean(self, data: Any, initial: Any = None) -> Any:  # noqa: ANN401  as the field it overrides
        """Return the text of the file."""
        file = super().clean(data, initial)
        if not file:
            return ""
        if file.size > MAX_LIST_BYTES:
            raise forms.ValidationError(gettext("The list is too long. Cut it into parts of at most 5 MiB."))
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(
                gettext("The list is not UTF-8. Save it as UTF-8 and send it again.")
            ) from error
        if "\0" in text:
            raise forms.ValidationError(gettext("The list is no text file."))
        return text


class ConcernForm(forms.Form):
    """Who asks, on what ground."""

    requester = forms.CharField(label=_("Who asks"), max_length=500)
    ground = forms.CharField(label=_("On what ground"), max_length=20_000, widget=forms.Textarea)
    reference = forms.CharField(label=_("Reference"), required=False, max_length=500)

    def concern(self) -> dict[str, Any]:
        """Return what `takedowns.request` wants to know of the requester."""
        return {name: self.cleaned_data[name] for name in ("requester", "ground", "reference")}


class RequestForm(ConcernForm):
    """A request in whole: and what is meant by it."""

    received_on = forms.DateField(label=_("Received on"), required=False)
    addresses = forms.CharField(label=_("Addresses"), required=False, max_length=20_000, widget=forms.Textarea)
    authors = forms.CharField(label=_("Authors or holders"), required=False, max_length=20_000, widget=forms.Textarea)
    external_ids = forms.CharField(label=_("External ids"), required=False, max_length=200_000, widget=forms.Textarea)
    passage = forms.CharField(
        label=_("A passage of the text"), required=False, max_length=100_000, widget=forms.Textarea
    )
    listed = ListField(label=_("A file that lists the texts"), required=False, allow_empty_file=True)

    def clean_received_on(self) -> date:
        """Take today where nothing is said; refuse the future."""
        day: date = self.cleaned_data["received_on"] or timezone.localdate()
        if day > timezone.localdate():
            raise forms.ValidationError(gettext("This day has not come yet."))
        return day

    def said(self) -> dict[str, Any]:
        """Return all that `takedowns.request` wants to know."""
        lines = {
            name: tuple(filter(None, (line.strip() for line in self.cleaned_data[name].splitlines())))
            for name in ("addresses", "authors", "external_ids")
        }
        passage = self.cleaned_data["passage"].replace("\r\n", "\n").strip()
        asked = Asked(**lines, passages=(passage,) if passage else ())
        return self.concern() | {
            "received_on": self.cleaned_data["received_on"],
            "asked": asked.with_list(self.cleaned_data["listed"]),
        }


class ImportForm(ConcernForm):
    """A list that another data set exported."""

    listed = ListField(label=_("The list"))
