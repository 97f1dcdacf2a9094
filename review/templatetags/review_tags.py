"""What the templates of review say of records and people."""

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from review import access
from review.forms import Reason
from review.models import AnswerFrom, Role, State
from review.models.score import BY_RULES
from review.models.score import REASONS as UNSCORED
from review.text import diff as differences
from review.text import marks
from review.text.rules import RULES
from review.views.desk import field_words
from review.views.reading import MARK_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.contrib.auth.models import AnonymousUser

    from review.models import Original, Revision, User
    from review.text.excerpt import Piece
    from review.text.rules import Rule

register = template.Library()

_MAY = {
    "review": access.can_review,
    "settle": access.can_settle,
    "manage": access.can_manage,
    "consume": access.can_consume,
}


@register.filter
def may(user: "User | AnonymousUser", what: str) -> bool:
    """Tell whether the person may `review`, `settle`, `manage` or `consume`."""
    return _MAY[what](user)


@register.simple_tag
def options(choices: tuple[tuple[str, str], ...], chosen: str) -> str:
    """Write the lines of a list to choose from, with the chosen one marked."""
    return _options(choices, chosen if any(value == chosen for value, _label in choices) else "")


@lru_cache(maxsize=256)
def _options(choices: tuple[tuple[str, str], ...], chosen: str) -> str:
    line, marked_line = '<option value="{}">{}</option>', '<option value="{}" selected>{}</option>'
    lines = ((format_html(marked_line if value == chosen else line, value, label),) for value, label in choices)
    return format_html_join("", "{}", lines)


@register.simple_tag
def reason_buttons(reasons: tuple[tuple[str, str], ...]) -> str:
    """Write the buttons that reject for a reason, each with its number on it."""
    return _reason_buttons(reasons)


@lru_cache(maxsize=8)
def _reason_buttons(reasons: tuple[tuple[str, str], ...]) -> str:
    button = '<button class="quiet" name="because" value="{}" data-key="{}"><kbd>{}</kbd> {}</button>'
    lines = ((value, number, number, label) for number, (value, label) in enumerate(reasons, 1))
    return format_html_join("", button, lines)


@register.filter
def sha256_of(text: str) -> str:
    """Return the hash by which a form says which text it means."""
    return sha256(text.encode()).hexdigest()


@register.filter
def starts(text: str, with_: str) -> bool:
    """Tell whether the text starts so."""
    return text.startswith(with_)


@register.filter
def seen_state(state: str) -> str:
    """Return the state as reviewers see it: whether a look is the first or the second, nobody can tell."""
    return State.WAITING.value if state == State.SECOND else state


@register.filter
def state_word(state: str) -> str:
    """Return the word for a state as reviewers see it."""
    return str(State(seen_state(state)).label)


@register.filter
def state_chip(state: str) -> str:
    """Write the chip of a state as reviewers see it."""
    return _state_chip(state, get_language() or "")


@lru_cache(maxsize=32)
def _state_chip(state: str, _language: str) -> str:
    return format_html('<span class="chip state-{}">{}</span>', seen_state(state), state_word(state))


@register.filter
def chips(labels: tuple[str, ...]) -> str:
    """Write labels, a chip each."""
    return _chips(labels)


@lru_cache(maxsize=1024)
def _chips(labels: tuple[str, ...]) -> str:
    return format_html_join(" ", '<span class="chip">{}</span>', ((label,) for label in labels))


@register.filter
def pieces(text: "Sequence[Piece]") -> str:
    """Write a stretch of a text with what was looked for marked in it."""
    if all(not piece.is_match for piece in text):
        return escape("".join(piece.text for piece in text))
    plain, match = "{}", "<mark>{}</mark>"
    return format_html_join(
        "", "{}", ((format_html(match if piece.is_match else plain, piece.text),) for piece in text)
    )


@register.filter
def reason_text(reason: str) -> str:
    """Return the sentence of a reason that was chosen, and any other as it was typed."""
    return str(Reason(reason).label) if reason in Reason.values else reason


@register.filter
def raw_text(original: "Original") -> str:
    """Return the raw bytes of a record as text, with a mark where they are not UTF-8."""
    text = bytes(original.raw).decode(errors="replace")
    return text or _("(nothing)")


@register.filter
def role_word(role: str) -> str:
    """Return the word for a role."""
    return str(Role(role).label) if role in Role.values else role


@register.filter
def diff(before: str, after: str) -> list[differences.Piece | differences.Fold]:
    """Return what differs between two texts, with long equal stretches folded."""
    return differences.folded(differences.opcodes(before, after))


@register.filter
def marked(text: str) -> "Iterator[marks.Segment]":
    """Return the text in stretches, what cannot be seen among them with a sign of its own."""
    return marks.segments(text)


@register.filter
def edited(text: str) -> "Iterator[marks.Segment]":
    """Return a deleted or inserted text in stretches: here line ends have signs as well."""
    return marks.segments(text, line_ends=True)


@register.filter
def rule_sentence(rule: "Rule") -> str:
    """Return what a rule is about, in the language in use."""
    return rule.sentence(get_language() or "")


@register.filter
def rule_name(name: str) -> str:
    """Return what the rule of this name is about; the name itself where there is no such rule."""
    return rule_sentence(RULES[name]) if name in RULES else name


@register.filter
def scorer_word(name: str) -> str:
    """Say who gave a quality score."""
    return _("by rules") if name == BY_RULES else name


@register.filter
def unscored_word(reason: str) -> str:
    """Say why a record has no quality score."""
    if reason in UNSCORED:
        return str(UNSCORED[reason])
    return _("the model's server answered %(status)s") % {"status": reason.removeprefix("http_")}


@register.filter
def field_word(name: str) -> str:
    """Return the word for a field of a wording."""
    return dict(field_words()).get(name, name)


@register.filter
def mark_word(kind: str) -> str:
    """Return the words for a kind of mark."""
    return str(MARK_WORDS[kind])


@register.filter
def field(revision: "Revision", name: str) -> str:
    """Return what a wording says in one field, as a text."""
    if name in {"major", "minor"}:
        return "\n".join(revision.task_type[name])
    if name == "answer_from":
        return str(AnswerFrom(revision.answer_from).label) if revision.answer_from in AnswerFrom.values else ""
    value = getattr(revision, name)
    return "\n".join(value) if isinstance(value, list) else str(value)


@register.filter
def alike(similarity: float) -> str:
    """Return how alike two texts are, in per cent; never the whole hundred for what is only nearly the same."""
    return f"{min(int(100 * similarity), 99)}%"
