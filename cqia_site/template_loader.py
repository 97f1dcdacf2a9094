"""Templates with their sentences already in the language of the page: kept once a language, translated once.

A page has dozens of sentences that are the same each time; looking each of them up at every turn is a tenth of what
the page takes.
"""

from collections.abc import Iterator

from django.template import Context, Origin, Template
from django.template.base import FilterExpression, Node, NodeList, TextNode, Variable
from django.template.defaulttags import IfNode
from django.template.loaders import base, cached
from django.templatetags.i18n import TranslateNode
from django.utils.translation import get_language


class _Translated(base.Loader):
    """Loads a template and translates what is constant in it into the language in use."""

    def get_template(self, template_name: str, skip: list[Origin] | None = None) -> Template:
        template = super().get_template(template_name, skip)
        _translate(template.nodelist)
        return template


class Loader(cached.Loader, _Translated):
    """Django's cached loader, which keeps a template of each language."""

    def cache_key(self, template_name: str, skip: list[Origin] | None = None) -> str:
        return f"{get_language()} {super().cache_key(template_name, skip)}"


def _translate(nodes: NodeList) -> None:
    """Put texts in place of sentences, and neighbouring texts together."""
    done: list[Node] = []
    for node in nodes:
        for inner in _inside(node):
            _translate(inner)
        text = _text(node)
        if text is None:
            done.append(node)
        elif done and isinstance(done[-1], TextNode):
            done[-1] = TextNode(done[-1].s + text)
        else:
            done.append(TextNode(text))
    nodes[:] = done


def _inside(node: Node) -> Iterator[NodeList]:
    if isinstance(node, IfNode):
        yield from (nodes for _condition, nodes in node.conditions_nodelists)
    else:
        lists = (getattr(node, name, None) for name in node.child_nodelists)
        yield from (nodes for nodes in lists if isinstance(nodes, NodeList))


def _text(node: Node) -> str | None:
    """Return what a node writes each time, None where that depends on the page."""
    if isinstance(node, TextNode):
        return node.s
    if isinstance(node, TranslateNode) and node.asvar is None and _is_constant(node.filter_expression):
        context = node.message_context
        return node.render(Context()) if context is None or _is_constant(context) else None
    return None


def _is_constant(expression: FilterExpression) -> bool:
    variable = expression.var
    return not expression.filters and not (isinstance(variable, Variable) and variable.lookups)
