"""What is asked of the pages of releases and tokens."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from exports.comparing import Change
from exports.facts import NOT_IN_MIX
from exports.held import WORDS
from exports.models import BAD_VERSION, VERSION, Mix, Policy
from exports.options import FORMATS, MAX_NUMBER, Mixture
from exports.policies import DEFAULT
from exports.releases import options
from exports.tokens import MAX_DAYS
from exports.writers import COMPRESSIONS
from review import access
from review.models import Scope, Source, User
from review.refused import Refused

if TYPE_CHECKING:
    from exports.options import Options

RESERVED = {"new", "tokens", "webhooks", "policies", "mixes"}
"""Addresses of pages: a release of this name would stand behind one of them."""
USUAL_DAYS = 90


class PlanForm(forms.Form):
    """What a release is to hold, and in which form. No source means every source."""

    policy = forms.ModelChoiceField(Policy.objects.order_by("is_internal", "pk"), to_field_name="slug", required=False)
    source = forms.ModelMultipleChoiceField(Source.objects.all(), to_field_name="slug", required=False)
    mix = forms.ModelChoiceField(Mix.objects.order_by("slug"), to_field_name="slug", required=False)
    format = forms.MultipleChoiceField(choices=[(name, name) for name in FORMATS], required=False)
    split = forms.CharField(required=False, max_length=500)
    shard_size = forms.IntegerField(required=False, min_value=1, max_value=MAX_NUMBER)
    compress = forms.ChoiceField(choices=[("", ""), *((name, name) for name in COMPRESSIONS)], required=False)

    def clean(self) -> dict[str, Any]:
        """Refuse what makes no release, such as shares that are not whole together."""
        given = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.options()
            except Refused as refused:
                self.add_error(None, str(refused))
        return given

    def clean_policy(self) -> Policy:
        """Return the policy chosen, or the usual one."""
        chosen: Policy | None = self.cleaned_data.get("policy")
        return chosen or Policy.objects.get(slug=DEFAULT)

    def options(self) -> "Options":
        """Return the options of the release."""
        given = self.cleaned_data
        return options(
            sources=[source.slug for source in given["source"]],
            formats=given["format"],
            mix=given["mix"].spec if given["mix"] else None,
            split=given["split"],
            shard_size=given["shard_size"],
            compress=given["compress"] or None,
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked for beside policy and sources."""
        return not any(self.data.get(name) for name in ("mix", "format", "split", "shard_size", "compress"))

    @property
    def refusal(self) -> str:
        """What is wrong, in one line."""
        return " ".join(str(error) for errors in self.errors.values() for error in errors)


class CutForm(PlanForm):
    """A plan, and the version under which it is cut."""

    version = forms.RegexField(
        VERSION, max_length=64, error_messages={"invalid": BAD_VERSION, "required": _("Give the version a name.")}
    )

    def clean_version(self) -> str:
        """Refuse the names of pages."""
        version: str = self.cleaned_data["version"]
        if version.lower() in RESERVED:
            raise forms.ValidationError(_("This word is the address of a page. Choose another version."))
        return version


class MixForm(forms.Form):
    """A mix as a manager words it: with a field `cap-SLUG` for each source; an empty one takes what `others` says."""

    slug = forms.SlugField(label=_("Name in commands and addresses"), max_length=50)
    name_zh = forms.CharField(label=_("Chinese name"), max_length=100)
    name_en = forms.CharField(label=_("English name"), max_length=100)
    seed = forms.IntegerField(label=_("Seed of the draw"), min_value=0, max_value=MAX_NUMBER, initial=42)
    others = forms.IntegerField(
        label=_("Records of every other source at most"), required=False, min_value=0, max_value=MAX_NUMBER
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sources = list(Source.objects.order_by("category__position", "position", "pk"))
        for source in self.sources:
            self.fields[f"cap-{source.slug}"] = forms.IntegerField(
                label=str(source), required=False, min_value=0, max_value=MAX_NUMBER
            )

    def clean_slug(self) -> str:
        """Refuse the word that is an address."""
        slug: str = self.cleaned_data["slug"]
        if slug == "new":
            raise forms.ValidationError(gettext("This name is taken by an address. Choose another one."))
        return slug

    def caps(self) -> list[Any]:
        """Return the bound field of each source, in the order of the catalogue."""
        return [self[f"cap-{source.slug}"] for source in self.sources]

    def spec(self) -> dict[str, Any]:
        """Return what the mix keeps."""
        given = self.cleaned_data
        caps = {source.slug: given[f"cap-{source.slug}"] for source in self.sources}
        said = {"seed": given["seed"], "caps": {slug: cap for slug, cap in caps.items() if cap is not None}}
        others = {} if given["others"] is None else {"others": given["others"]}
        return Mixture.from_json(said | others).as_json()


class HeldForm(forms.Form):
    """Which of the records that are held back are listed."""

    policy = forms.ModelChoiceField(Policy.objects.all(), to_field_name="slug")
    source = forms.ModelChoiceField(Source.objects.all(), to_field_name="slug")
    reason = forms.ChoiceField(choices=[(reason, reason) for reason in WORDS if reason != NOT_IN_MIX])
    after = forms.IntegerField(required=False, min_value=0, max_value=2**62)


class CompareForm(forms.Form):
    """Which records of a comparison are shown."""

    change = forms.ChoiceField(choices=[("", ""), *Change.choices], required=False)
    source = forms.SlugField(required=False, max_length=100)
    after = forms.IntegerField(required=False, min_value=0, max_value=2**62)


class TokenForm(forms.Form):
    """A token to be made. Managers make them for anybody who may sign in, others for themselves, to read."""

    user = forms.ModelChoiceField(User.objects.none(), to_field_name="username", required=False)
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, error_messages={"required": _("Choose what the token is for.")}
    )
    days = forms.IntegerField(min_value=1, max_value=MAX_DAYS, initial=USUAL_DAYS)
    note = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self.allowed = list(Scope) if access.can_manage(by) else [Scope.EXPORT_READ]
        cast("forms.MultipleChoiceField", self.fields["scopes"]).choices = [
            (one.value, one.label) for one in self.allowed
        ]
        if access.can_manage(by):
            cast("forms.ModelChoiceField[User]", self.fields["user"]).queryset = self.people()

    def people(self) -> QuerySet[User]:
        """Return those for whom a token may be made, when there is a choice."""
        return User.objects.filter(is_active=True).order_by("username")

    def clean_user(self) -> User:
        """Return the bearer: whoever makes the token, unless somebody else was named."""
        return self.cleaned_data.get("user") or self.by

    def clean_note(self) -> str:
        """Refuse what cannot be shown on one line."""
        note: str = self.cleaned_data["note"]
        if not note.isprintable():
            raise forms.ValidationError(gettext("Write the note on one line, without control characters."))
        return note
