"""Every sentence of the project stands in the Chinese catalogue, and the compiled catalogue is that catalogue."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.utils.translation.template import templatize

from tests.conftest import REPOSITORY

CATALOGUE = REPOSITORY / "cqia_site" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
FOLDERS = ("review", "ingest", "exports", "cqia_site")
PLAIN, PLURAL, IN_CONTEXT, PLURAL_IN_CONTEXT = {"gettext", "_"}, {"ngettext"}, {"pgettext"}, {"npgettext"}
CALLS = PLAIN | PLURAL | IN_CONTEXT | PLURAL_IN_CONTEXT
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
IN_TEMPLATE = re.compile(rf" (gettext|ngettext|pgettext|npgettext|_)\(((?:{STRING}|[^'\")])*)\)", re.DOTALL)
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|\{\w*\}|</?\w+")


class Message(NamedTuple):
    """What is translated: a sentence, its plural if it has one, and the context that tells it from others."""

    text: str
    plural: str | None = None
    context: str | None = None

    @classmethod
    def of(cls, function: str, arguments: list[str]) -> "Message":
        context = arguments.pop(0) if function in IN_CONTEXT | PLURAL_IN_CONTEXT else None
        plural = arguments[1] if function in PLURAL | PLURAL_IN_CONTEXT else None
        return cls(arguments[0], plural, context)


def texts(call: ast.Call) -> list[str]:
    values = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def in_python(path: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", "")).removesuffix("_lazy")
        if name in CALLS and texts(node):
            yield Message.of(name, texts(node))


def in_template(path: Path) -> Iterator[Message]:
    for function, arguments in IN_TEMPLATE.findall(templatize(path.read_text(encoding="utf-8"))):
        words = ast.parse(f"f({arguments})", mode="eval").body
        assert isinstance(words, ast.Call)
        yield Message.of(function, texts(words))


def in_project() -> set[Message]:
    code = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    templates = [path for folder in ("templates", *FOLDERS) for path in (REPOSITORY / folder).rglob("*.html")]
    mails = list((REPOSITORY / "templates").rglob("*.txt"))
    messages = {message for path in code for message in in_python(path)}
    return messages | {message for path in templates + mails for message in in_template(path)}


def in_catalogue() -> dict[Message, str]:
    """Read the catalogue: entries are separated by empty lines, and strings go on over several lines."""
    messages = {}
    for block in CATALOGUE.read_text(encoding="utf-8").strip().split("\n\n"):
        fields: dict[str, str] = {}
        keyword = ""
        for line in block.split("\n"):
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                keyword = line.partition(" ")[0]
            fields[keyword] = fields.get(keyword, "") + ast.literal_eval(line.removeprefix(keyword).strip())
        if fields["msgid"]:
            message = Message(fields["msgid"], fields.get("msgid_plural"), fields.get("msgctxt"))
            messages[message] = fields.get("msgstr", fields.get("msgstr[0]", ""))
    return messages


def test_the_catalogue_holds_every_sentence() -> None:
    wanted, known = in_project(), in_catalogue()
    assert len(wanted) > 500
    assert sorted(message.text for message in wanted - known.keys()) == []


def test_every_sentence_is_translated_and_none_is_doubtful() -> None:
    assert [message.text for message, translation in in_catalogue().items() if not translation] == []
    assert "fuzzy" not in CATALOGUE.read_text(encoding="utf-8")


def test_translations_keep_the_placeholders() -> None:
    changed = [
        message.text
        for message, translation in in_catalogue().items()
        if set(PLACEHOLDER.findall(message.plural or message.text)) != set(PLACEHOLDER.findall(translation))
    ]
    assert changed == []


def test_the_compiled_catalogue_is_in_step() -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message, translation in in_catalogue().items():
        match message:
            case (text, None, None):
                assert compiled.gettext(text) == translation
            case (text, str(plural), None):
                assert compiled.ngettext(text, plural, 2) == translation
            case (text, None, str(context)):
                assert compiled.pgettext(context, text) == translation
            case (text, str(plural), str(context)):
                assert compiled.npgettext(context, text, plural, 2) == translation


@pytest.mark.parametrize("sentence", ["Approve", "Reject", "Rewrite", "Escalate", "Skip", "Undo"])
def test_the_words_of_review_are_those_that_were_fixed(sentence: str) -> None:
    fixed = {
        "Approve": "通过",
        "Reject": "驳回",
        "Rewrite": "重写",
        "Escalate": "提请仲裁",
        "Skip": "跳过",
        "Undo": "撤销",
    }
    assert in_catalogue()[Message(sentence)] == fixed[sentence]
