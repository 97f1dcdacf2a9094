"""What a manager sends about people."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from review.models import Role, Source
from review.refused import Ground, Refused

DUTIES = {
    Role.REVIEWER: _("decides on records in the queue"),
    Role.SETTLER: _("decides where reviewers differ, and reviews"),
    Role.MANAGER: _("imports, decides on rights, cuts releases, lets people in; may review and settle as well"),
    Role.CONSUMER: _("reads releases, and makes tokens for programs that do"),
}


class SaidForm(forms.Form):
    """A form that refuses what it cannot take."""

    def said(self) -> dict[str, Any]:
        """Return what was sent; raises Refused with the messages by field."""
        if not self.is_valid():
            fields = {name: " ".join(map(str, messages)) for name, messages in self.errors.items()}
            raise Refused(" ".join(fields.values()), ground=Ground.INVALID, fields=fields)
        return self.cleaned_data


class DetailsForm(SaidForm):
    """How a person is called, and where mail reaches them."""

    name = forms.CharField(max_length=150)
    full_name = forms.CharField(required=False, max_length=150)
    email = forms.EmailField(required=False, max_length=254)


class RolesForm(SaidForm):
    """What a person may do."""

    roles = forms.MultipleChoiceField(required=False, choices=Role.choices)
    is_administrator = forms.BooleanField(required=False)


class SourcesForm(SaidForm):
    """The sources that a person is limited to; none for every one."""

    sources = forms.ModelMultipleChoiceField(required=False, queryset=Source.objects.all())


class InvitationForm(DetailsForm, RolesForm, SourcesForm):
    """All that is said of a person who is let in."""


class SearchForm(forms.Form):
    """Part of a name or an address, and the page of the list."""

    q = forms.CharField(required=False, max_length=100)
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)


class TokenForm(forms.Form):
    """Which of a person's tokens."""

    token = forms.CharField(max_length=128)
