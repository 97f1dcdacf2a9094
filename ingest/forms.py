"""What a person says of the files that they import."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ingest import mappings, prompts
from ingest.jobs import MAX_EVIDENCE_CHARACTERS, MAX_HOLDER_CHARACTERS
from ingest.mapping import MAX_BYTES, FieldMapping
from ingest.mappings import MAX_NAME_CHARACTERS
from ingest.overview import FORMAT_NAMES
from ingest.readers import READERS
from review import access
from review.models import Licence, Source
from review.refused import Refused

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile
    from django.db.models import QuerySet
    from django.http import HttpRequest  # noqa: TID251  for its type only

    from review.models import User

ENCODINGS = ("gb18030", "big5", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
"""Those that a person may choose besides UTF-8: GB18030 holds GBK and GB 2312; a byte order mark is heeded."""


class QuotaHandler(FileUploadHandler):
    """Counts the bytes of a request's files, and leaves out what goes beyond the limit while the fields are kept."""

    def __init__(self, request: "HttpRequest", limit: int) -> None:
        super().__init__(request)
        self.left = limit
        self.skipped: list[str] = []
        """Names of the files that were left out."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:  # noqa: ARG002  the signature of Django
        """Hand on what is within the limit."""
        self.left -= len(raw_data)
        if self.left < 0:
            self.skipped.append(self.file_name or "")
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave it to the handlers behind this one."""


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """One file or several; an empty one is a file, too: what is said of it is said when it is looked at."""

    widget = SeveralFilesInput

    def clean(self, data: object, initial: object = None) -> "list[UploadedFile[bytes]]":
        """Return the files in the order in which they were chosen."""
        files = data if isinstance(data, list) else [data]
        return [super(SeveralFilesField, self).clean(file, initial) for file in files or [None]]


class FilesForm(forms.Form):
    uploads = SeveralFilesField(
        label=_("Files"),
        allow_empty_file=True,
        error_messages={"required": _("Choose one file or several.")},
    )


class ImportForm(forms.Form):
    """The source and the rights of the files, and how they are to be read."""

    source = forms.ModelChoiceField(
        Source.objects.none(),
        label=_("Source"),
        to_field_name="slug",
        empty_label=_("Choose a source"),
        error_messages={
            "required": _("Choose the source that the files come from."),
            "invalid_choice": _("Choose one of the sources in the list."),
        },
    )
    licence = forms.ChoiceField(
        label=_("Licence"),
        required=False,
        choices=[("", _("As decided for the source")), *Licence.choices],
    )
    holder = forms.CharField(label=_("Rights holder"), required=False, max_length=MAX_HOLDER_CHARACTERS)
    evidence = forms.CharField(
        label=_("Evidence or note"),
        required=False,
        max_length=MAX_EVIDENCE_CHARACTERS,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("Where the licence is stated, or who allowed what, and when."),
    )
    format = forms.ChoiceField(
        label=_("Format"),
        required=False,
        choices=[("", _("Recognise it")), *((name, FORMAT_NAMES.get(name, name)) for name in READERS)],
    )
    encoding = forms.ChoiceField(
        label=_("Encoding"),
        required=False,
        choices=[("", "UTF-8"), *((name, name.upper()) for name in ENCODINGS), ("utf-8", _("UTF-8, line by line"))],
        help_text=_("“Line by line” takes the lines that are UTF-8 and refuses the others."),
    )

    mapping = forms.CharField(
        label=_("Mapping"),
        required=False,
        max_length=MAX_BYTES,
        strip=True,
        widget=forms.Textarea({"rows": 6, "spellcheck": "false", "class": "code"}),
        help_text=_("How the fields of the records become ours, as JSON; empty: as the format does it."),
    )
    mapping_name = forms.CharField(
        label=_("Keep the mapping as"),
        required=False,
        max_length=MAX_NAME_CHARACTERS,
        strip=True,
        help_text=_("Under this name it is offered for the next files of the source."),
    )
    mapping_replaces = forms.BooleanField(label=_("Replace the mapping that is kept under this name"), required=False)

    use_required_attribute = False

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, by: "User", initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), label_suffix="")
        field = cast("forms.ModelChoiceField[Source]", self.fields["source"])
        field.queryset = sources_for(by)
        field.choices = [("", field.empty_label), *_by_category(field.queryset)]

    def clean_mapping(self) -> FieldMapping | None:
        """Return the mapping, None where nothing is given."""
        try:
            return mappings.checked(self.cleaned_data["mapping"])
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from refused

    def clean(self) -> dict[str, Any]:
        """Ask for the licence where only a holder or evidence is given."""
        said = super().clean() or {}
        if not said.get("licence") and (said.get("holder") or said.get("evidence")):
            self.add_error("licence", _("Choose the licence that goes with it; “unknown” is one of them."))
        if not said.get("mapping_replaces") and self._would_replace(said):
            self.add_error(
                "mapping_name", _("Another mapping is kept under this name. Choose another name, or replace it.")
            )
        return said

    def _would_replace(self, said: Mapping[str, Any]) -> bool:
        """Whether another mapping would be lost that is kept for the source under the name that is given."""
        mapping, source = said.get("mapping"), said.get("source")
        if mapping is None or source is None:
            return False
        kept = mappings.kept_for(source).filter(name=said.get("mapping_name", "")).first()
        return kept is not None and kept.spec != dict(mapping.spec)


class SubmissionForm(forms.Form):
    """What comes with files over the API; whether a name is known, the job's own checks say."""

    source = forms.SlugField()
    licence = forms.CharField(required=False, max_length=40)
    holder = forms.CharField(required=False, max_length=MAX_HOLDER_CHARACTERS)
    evidence = forms.CharField(required=False, max_length=MAX_EVIDENCE_CHARACTERS)
    format = forms.CharField(required=False, max_length=40)
    encoding = forms.CharField(required=False, max_length=20)
    mapping = forms.CharField(required=False, max_length=MAX_BYTES)
    rules = forms.CharField(required=False, max_length=2000)

    def clean_rules(self) -> list[str]:
        """Take names separated by commas, as the command does."""
        return [name.strip() for name in self.cleaned_data["rules"].split(",") if name.strip()]


class TemplatesForm(forms.Form):
    """The prompt templates of a source: for each kind of question a field with a template on each line."""

    seen = forms.JSONField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, source: "Source") -> None:
        super().__init__(data, initial={"seen": source.templates}, label_suffix="")
        self.kinds = prompts.shipped_for(source.slug)
        for kind in self.kinds:
            now = source.templates.get(kind.name, kind.templates)
            lines = "\n".join(line for line in now if isinstance(line, str)) if isinstance(now, list | tuple) else ""
            self.fields[kind.name] = forms.CharField(
                label=kind.label(get_language() or ""),
                initial=lines,
                required=False,
                max_length=20_000,
                help_text=_("Slots: %(slots)s") % {"slots": " ".join(f"{{{slot}}}" for slot in kind.slots)},
                widget=forms.Textarea(attrs={"rows": len(kind.templates) + 2}),
            )

    @property
    def templates(self) -> dict[str, list[str]]:
        """What was typed, by kind; a kind that was emptied is left to the project's own."""
        typed = {
            kind.name: self.cleaned_data.get(kind.name, "").replace("\r\n", "\n").split("\n") for kind in self.kinds
        }
        stripped = {name: [line.strip() for line in lines if line.strip()] for name, lines in typed.items()}
        return {name: lines for name, lines in stripped.items() if lines}


class PageForm(forms.Form):
    """From where a list goes on."""

    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=format_lazy("{} {}", _("Reason"), _("(optional)")), required=False, max_length=2000, strip=True
    )


def sources_for(by: "User") -> "QuerySet[Source]":
    """Return the sources into which the person may import, in the catalogue's order."""
    sources = Source.objects.filter(is_active=True).select_related("category")
    limits = access.limited_to(by)
    sources = sources.filter(pk__in=limits) if limits else sources
    return sources.order_by("category__position", "position")


def _by_category(sources: "QuerySet[Source]") -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    for category, members in groupby(sources, key=lambda source: source.category):
        yield str(category), [(source.slug, str(source)) for source in members]
