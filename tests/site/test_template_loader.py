"""Sentences are translated once a language, and templates write what they would write with Django's own loader."""

import pytest
from django.template import Context, Engine, TemplateDoesNotExist
from django.template.base import TextNode
from django.utils import translation

PARTS = {
    "whole.html": """{% extends "frame.html" %}{% load i18n %}{% block body %}
        {% translate "Sources" %} {% translate 'Sources' %}{% translate "none" context "score" %} {{ block.super }}
        {% if wanted %}<b>{% translate "Home" %}</b>{% elif other %}{% translate "Rights" %}{% else %}
        {% translate "Records" %}{% endif %}
        {% for word in words %}{% translate "Queue" %}{{ word }}{% empty %}{% translate "Nothing yet" %}{% endfor %}
        {% translate "Sources" as kept %}{{ kept }}{% translate word %}{% translate "Home"|upper %}
        {% translate "Home" noop %}{% translate "100% <sure> & so on" %}{{ "<" }}
        {% blocktranslate %}Home{% endblocktranslate %}
        {% with a=1 %}{% translate "Home" context a %}{% include "part.html" %}{% endwith %}
        {% partialdef piece inline %}{% translate "Rights" %}{% endpartialdef %}{% partial piece %}{% endblock %}""",
    "frame.html": "{% load i18n %}<p>{% block body %}{% translate 'Records' %}{% endblock %}{% translate 'Home' %}</p>",
    "part.html": "{% load i18n %}({% translate 'Home' %})",
}
IN_MEMORY = ("django.template.loaders.locmem.Loader", PARTS)
CONTEXTS: tuple[dict[str, object], ...] = (
    {},
    {"wanted": True, "words": ["<a>", "b"], "word": "Rights"},
    {"other": True, "word": "100%"},
)


def engine(loader: str) -> Engine:
    libraries = {"i18n": "django.templatetags.i18n"}
    return Engine(loaders=[(loader, [IN_MEMORY])], libraries=libraries)


@pytest.mark.parametrize("name", ["whole.html", "whole.html#piece", "part.html"])
def test_what_is_written_is_what_djangos_loader_writes(name: str) -> None:
    ours, theirs = engine("cqia_site.template_loader.Loader"), engine("django.template.loaders.cached.Loader")
    written = set()
    for language in ("en", "zh-hans", "en", "zh-hans"):
        with translation.override(language):
            for given in CONTEXTS:
                text = ours.get_template(name).render(Context(given))
                assert text == theirs.get_template(name).render(Context(given))
                written.add((language, text))
    assert {language for language, _text in written} == {"en", "zh-hans"}
    assert not {text for language, text in written if language == "en"} & {
        text for language, text in written if language == "zh-hans"
    }


def test_a_sentence_is_looked_up_once_a_language() -> None:
    ours = engine("cqia_site.template_loader.Loader")
    with translation.override("zh-hans"):
        template = ours.get_template("part.html")
        assert ours.get_template("part.html") is template
    assert [node.s for node in template.nodelist if isinstance(node, TextNode)][-1] == "(首页)"
    with translation.override("en"):
        assert ours.get_template("part.html").render(Context()) == "(Home)"


def test_a_template_that_is_not_there_is_missed_in_each_language() -> None:
    ours = engine("cqia_site.template_loader.Loader")
    for language in ("en", "zh-hans", "en"):
        with translation.override(language), pytest.raises(TemplateDoesNotExist, match=r"absent\.html"):
            ours.get_template("absent.html")
