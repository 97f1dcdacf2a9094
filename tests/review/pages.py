"""A page of the workbench as a browser has it: the fields of its form, and what stands in them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """The form of the record that lies there: its address, and its fields in their order, several of one name too."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)

    def sent(self, **changes: str) -> dict[str, list[str]]:
        """What is sent when the fields are left alone but for `changes`: a browser sends line ends as CRLF."""
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(changes.get(name, value).replace("\n", "\r\n"))
        return {**values, **{name: [value] for name, value in changes.items() if name not in values}}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form = Form()
        self.is_inside = False
        self.area: str | None = None
        self.chosen: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.is_inside = given.get("id") == "record-form"
            self.form.action = given["action"] if self.is_inside else self.form.action
        if not self.is_inside or "disabled" in given:
            return
        if tag == "textarea":
            self.area = given["name"]
            self.form.fields.append((self.area, ""))
        if tag == "input" and (given.get("type") != "radio" or "checked" in given):
            self.form.fields.append((given["name"], given.get("value", "")))
        if tag == "select":
            self.chosen = given["name"]
        if tag == "option" and self.chosen and "selected" in given:
            self.form.fields.append((self.chosen, given["value"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        if tag == "textarea" and self.area:
            name, text = self.form.fields[-1]
            self.form.fields[-1], self.area = (name, text.removeprefix("\n")), None
        if tag == "select":
            self.chosen = None

    def handle_data(self, data: str) -> None:
        if self.area:
            name, text = self.form.fields[-1]
            self.form.fields[-1] = (name, text + data)


def form_of(page: bytes) -> Form:
    """Return the form of the record that lies on the page."""
    reader = _Reader()
    reader.feed(page.decode())
    return reader.form
