"""What settlers and managers send when they settle, inspect, send back, and say what wants a second look."""

from decimal import Decimal
from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext as _

from review.decisions import Judgement, SaidOfRights, Wording
from review.forms import RecordForm, seconds_since
from review.models import Batch, Decision, Guideline, Licence, Source, User, Verdict
from review.refused import Ground, Refused
from review.sampling import LEVELS, LIMITS
from review.text.draw import Looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.models import Record, Revision

ORIGINAL, EDITED, REJECT = "original", "edited", "reject"


class CheckedForm(forms.Form):
    """A form that is refused as a verb refuses: with a sentence, and the messages by field."""

    def check(self) -> None:
        """Refuse what cannot be taken."""
        if not self.is_valid():
            fields = {name: " ".join(map(str, found)) for name, found in self.errors.items()}
            raise Refused(" ".join(fields.values()), ground=Ground.INVALID, fields=fields)


class SettleForm(CheckedForm, RecordForm):
    """How a dispute ends: by one of the looks, by the original, by a wording of the settler's, or by a rejection.

    `choice` is the id of a look's decision, or one of the three words; `rights_of` the id of the look whose word on the
    rights holds, or what is said of them anew; `base` the revision that the edited wording set out from.
    """

    request_id = forms.UUIDField()
    started = forms.CharField(required=False)
    choice = forms.CharField(max_length=20)
    rights_of = forms.CharField(required=False, max_length=20)
    base = forms.IntegerField(required=False, min_value=1)

    def judgement(self, record: "Record", looks: "Sequence[Decision]") -> Judgement:
        """Return what the settler said; raises Refused with the messages by field when the form cannot be taken."""
        self.check()
        given, seen = self.cleaned_data, self.seen(record)
        chosen = next((look for look in looks if str(look.pk) == given["choice"]), None)
        if chosen is None and given["choice"] not in {ORIGINAL, EDITED, REJECT}:
            raise Refused(_("This page is incomplete. Load it again; what you typed is kept."), ground=Ground.INVALID)
        is_rejected = given["choice"] == REJECT or (chosen is not None and chosen.verdict == Verdict.REJECT)
        wording = self._wording(chosen, seen, record, looks)
        reason = given["reason"] or (chosen.reason if chosen and is_rejected else "")
        return Judgement(
            verdict=Verdict.REJECT if is_rejected else Verdict.APPROVE,
            seen_revision=seen.pk,
            request_id=given["request_id"],
            wording=None if is_rejected or wording == Wording.of(seen) else wording,
            rights=None if is_rejected else self._rights(chosen, looks),
            reason=reason,
            seconds=seconds_since(given["started"], record.pk),
        )

    def typed(self) -> dict[str, str]:
        """Return all that was typed, with the revision that it set out from and whose word on the rights was picked."""
        own = {name: self.data[name] for name in ("base", "rights_of") if name in self.data}
        return super().typed() | own

    def _wording(
        self, chosen: Decision | None, seen: "Revision", record: "Record", looks: "Sequence[Decision]"
    ) -> Wording:
        if chosen is not None:
            return Wording.of(chosen.revision)
        if self.cleaned_data["choice"] == EDITED:
            revisions = {look.revision_id: look.revision for look in looks}
            return self.wording(revisions.get(self.cleaned_data["base"] or 0, seen))
        wording = Wording.of(seen)
        usual = record.source.answer_from
        return wording if wording.answer_from or not usual else Wording.of(seen).by(usual)

    def _rights(self, chosen: Decision | None, looks: "Sequence[Decision]") -> SaidOfRights | None:
        """Return what holds of the rights: as picked, else as the chosen look said, else as all looks said."""
        picked = self.cleaned_data["rights_of"]
        if picked in {Decision.RightsSaid.CONFIRM, Decision.RightsSaid.OBJECT}:
            return SaidOfRights(picked)
        if picked == Decision.RightsSaid.SET:
            anew = {name: self.cleaned_data[name] for name in ("holder", "copyright_text", "source_address")}
            return SaidOfRights(picked, self.cleaned_data["licence"] or Licence.UNKNOWN, **anew)
        said = [look for look in looks if look.rights_said]
        if by_picked := [look for look in said if str(look.pk) == picked]:
            return said_by(by_picked[0])
        if chosen is not None and chosen.rights_said:
            return said_by(chosen)
        each = {said_by(look): None for look in said}
        if len(each) > 1:
            return None  # the verb asks for it
        return next(iter(each), SaidOfRights(Decision.RightsSaid.CONFIRM))


def said_by(decision: Decision) -> SaidOfRights:
    """Return what a decision said of the rights, to be said again."""
    given = decision.rights
    if decision.rights_said != Decision.RightsSaid.SET or given is None:
        return SaidOfRights(decision.rights_said, Licence.OBJECTED if decision.rights_said == "object" else "unknown")
    return SaidOfRights(decision.rights_said, given.licence, given.holder, given.published_text, given.source_address)


class SendBackForm(CheckedForm):
    """Why a record goes back, and to whom."""

    reason = forms.CharField(max_length=2000)
    to = forms.CharField(required=False, max_length=20)


class LooksForm(CheckedForm):
    """Which records of a source want more than one decision."""

    second_looks = forms.DecimalField(min_value=0, max_value=100, decimal_places=2, max_digits=5)
    second_looks_seed = forms.CharField(required=False, max_length=64)
    looks = forms.TypedChoiceField(choices=[(2, "2"), (3, "3")], coerce=int)
    looks_at_flagged = forms.BooleanField(required=False)
    looks_at_longer_than = forms.IntegerField(required=False, min_value=0, max_value=1_000_000)
    looks_at_model_written = forms.BooleanField(required=False)

    @property
    def share(self) -> Decimal:
        return Decimal(self.cleaned_data["second_looks"])

    @property
    def rule(self) -> Looks:
        given = self.cleaned_data
        return Looks(
            share=float(self.share) / 100,
            seed=given["second_looks_seed"],
            looks=given["looks"],
            flagged=given["looks_at_flagged"],
            longer_than=given["looks_at_longer_than"] or 0,
            model_written=given["looks_at_model_written"],
        )


class GoldForm(CheckedForm):
    """What a reviewer who fails on a gold record is told."""

    reason = forms.CharField(max_length=2000)


class InspectionForm(forms.Form):
    """Which approved records are inspected as one batch, and how strictly."""

    source = forms.ModelChoiceField(required=False, queryset=Source.objects.all(), to_field_name="slug")
    batch = forms.ModelChoiceField(required=False, queryset=Batch.objects.all())
    reviewer = forms.ModelChoiceField(required=False, queryset=User.objects.all())
    guideline = forms.ModelChoiceField(required=False, queryset=Guideline.objects.all())
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    level = forms.ChoiceField(required=False, choices=[(level, level) for level in LEVELS])
    quality_limit = forms.ChoiceField(required=False, choices=[(limit, limit) for limit in LIMITS])
    sample_size = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    acceptance = forms.IntegerField(required=False, min_value=0, max_value=1_000_000)
    seed = forms.CharField(required=False, max_length=64)


class FindingForm(forms.Form):
    """What an inspector says of one record."""

    verdict = forms.ChoiceField(choices=[("approve", ""), ("reject", "")])
    reason = forms.CharField(required=False, max_length=2000)
    request_id = forms.UUIDField()
    started = forms.CharField(required=False)


class ConcludeForm(CheckedForm):
    """How an inspection ends, with what the reviewers are told."""

    reason = forms.CharField(required=False, max_length=2000)
