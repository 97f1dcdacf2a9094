"""What the first requests of a process would wait for, done before there is one."""

from django.conf import settings
from django.template.loader import get_template
from django.urls import reverse
from django.utils import translation

from review.text.marks import marks


def warm() -> None:
    """Read the addresses, both languages with every page's template, the dictionary of traditional characters."""
    folder = settings.BASE_DIR / "templates"
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            reverse("home")
            translation.gettext("Home")
            for path in sorted(folder.rglob("*.html")):
                get_template(str(path.relative_to(folder)))
    marks("一行字")
