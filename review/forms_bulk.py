"""What a manager says of many records at once: a form for each kind of action."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.models import BulkAction, Licence, Role, User

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.datastructures import MultiValueDict

MAX_LABELS, MAX_LABEL, MAX_CHOSEN, MAX_DIGITS = 20, 100, 200, 18
_BETWEEN = str.maketrans(dict.fromkeys("，、;；\n", ","))


def people() -> "QuerySet[User]":
    """Return those to whom records can be given."""
    working = User.objects.filter(is_active=True, groups__name__in=[Role.REVIEWER, Role.SETTLER, Role.MANAGER])
    return working.distinct().order_by("username")


class LabelsField(forms.CharField):
    """Labels with commas between them."""

    def clean(self, value: str) -> list[str]:
        labels = [label.strip() for label in str(super().clean(value)).translate(_BETWEEN).split(",")]
        given = list(dict.fromkeys(label for label in labels if label))
        if len(given) > MAX_LABELS or any(len(label) > MAX_LABEL for label in given):
            raise forms.ValidationError(_("At most 20 labels of at most 100 characters each."))
        return given


class ChosenForm(forms.Form):
    """Which records are meant: those that were ticked, or all that the filter finds; and what is to be done."""

    kind = forms.ChoiceField(choices=BulkAction.Kind.choices)
    which = forms.ChoiceField(choices=[("ticked", ""), ("all", "")])
    asked = forms.CharField(required=False, max_length=4_000)
    records = forms.TypedMultipleChoiceField(required=False, coerce=int)

    def __init__(self, data: "MultiValueDict[str, str]") -> None:
        super().__init__(data)
        ticked = [
            pk
            for pk in data.getlist("records")[: MAX_CHOSEN + 1]
            if pk.isascii() and pk.isdigit() and len(pk) <= MAX_DIGITS
        ]
        self.fields["records"].choices = [(pk, pk) for pk in ticked]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("which") == "ticked" and "records" in given and not 0 < len(given["records"]) <= MAX_CHOSEN:
            self.add_error("records", _("Tick the records that you mean, or choose all that the filter finds."))
        return given


class AssignForm(forms.Form):
    assignee = forms.ModelChoiceField(
        queryset=User.objects.none(),
        to_field_name="username",
        required=False,
        label=gettext_lazy("To whom"),
        empty_label=gettext_lazy("nobody: back to everybody's queue"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = people()  # type: ignore[attr-defined]

    def parameters(self) -> dict[str, Any]:
        """Return what is done, as it is kept."""
        given = self.cleaned_data["assignee"]
        return {"assignee": given.pk if given else None}


class PriorityForm(forms.Form):
    priority = forms.IntegerField(min_value=-100, max_value=100, initial=10, label=gettext_lazy("Priority"))

    def parameters(self) -> dict[str, Any]:
        """Return what is done, as it is kept."""
        return {"priority": self.cleaned_data["priority"]}


class LabelForm(forms.Form):
    mode = forms.ChoiceField(
        choices=[
            ("add", gettext_lazy("add to those there are")),
            ("replace", gettext_lazy("instead of those there are")),
        ],
        label=gettext_lazy("How"),
    )
    major = LabelsField(required=False, max_length=2_000, label=gettext_lazy("Main task types"))
    minor = LabelsField(required=False, max_length=2_000, label=gettext_lazy("Fine task types"))
    domain = LabelsField(required=False, max_length=2_000, label=gettext_lazy("Domains"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not self.errors and not any(given[kind] for kind in ("major", "minor", "domain")):
            raise forms.ValidationError(_("Give at least one label."))
        return given

    def parameters(self) -> dict[str, Any]:
        """Return what is done, as it is kept."""
        return dict(self.cleaned_data)


class RightsForm(forms.Form):
    licence = forms.ChoiceField(
        label=gettext_lazy("Licence"),
        choices=[(name, label) for name, label in Licence.choices if name != Licence.OBJECTED],
    )
    holder = forms.CharField(label=gettext_lazy("Holder"), required=False, max_length=500)
    source_address = forms.URLField(
        label=gettext_lazy("Address where the rights are stated"),
        required=False,
        max_length=2000,
        assume_scheme="https",
    )
    evidence = forms.CharField(label=gettext_lazy("Evidence"), required=False, max_length=20_000, widget=forms.Textarea)
    copyright_text = forms.CharField(label=gettext_lazy("Copyright text to publish"), required=False, max_length=2000)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        needs_reason = said.get("licence") not in {None, Licence.UNKNOWN, Licence.RESTRICTED}
        if needs_reason and not said.get("evidence") and not said.get("source_address"):
            self.add_error("evidence", _("Say what the decision rests on, or give the address that states it."))
        return said

    def parameters(self) -> dict[str, Any]:
        """Return what is done, as it is kept."""
        return dict(self.cleaned_data)


class SendBackForm(forms.Form):
    reason = forms.CharField(max_length=2_000, label=gettext_lazy("Reason"))
    to = forms.ChoiceField(
        required=False,
        choices=[("", gettext_lazy("everybody's queue")), ("reviewer", gettext_lazy("whoever decided"))],
        label=gettext_lazy("To whom"),
    )

    def parameters(self) -> dict[str, Any]:
        """Return what is done, as it is kept."""
        return {"reason": self.cleaned_data["reason"], "to": self.cleaned_data["to"] or None}


FORMS: dict[str, Any] = {
    BulkAction.Kind.ASSIGN: AssignForm,
    BulkAction.Kind.PRIORITISE: PriorityForm,
    BulkAction.Kind.LABEL: LabelForm,
    BulkAction.Kind.RIGHTS: RightsForm,
    BulkAction.Kind.SEND_BACK: SendBackForm,
}
"""The form of each kind of action."""
