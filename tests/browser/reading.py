"""What a page says in which language: its own words, apart from the texts of records and the names of people."""

import re

from playwright.sync_api import Page

OWN_WORDS = """() => {
    const left = "textarea, pre, code, kbd, samp, input, option, svg, [hidden], [hx-disable], .candidates, "
        + ".instruction, .raw, .file-name, .brand, .me, .language, .chip, .holder, .lead .effect, "
        + ".decisions, .facts-list dd, [lang]:not(html)";
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const words = [];
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        if (!parent.closest(left) && parent.checkVisibility() && walker.currentNode.data.trim())
            words.push(walker.currentNode.data.trim());
    }
    return words;
}"""
HAN = re.compile(r"[\u3400-\u9fff]")
SENTENCE = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
"""Three Latin words in a row, of which the last two are no names."""


def foreign_words(page: Page, language: str) -> list[str]:
    """Return what stands on a page in the language that it is not in."""
    pattern = SENTENCE if language.startswith("zh") else HAN
    return [words for words in page.evaluate(OWN_WORDS) if pattern.search(words)]
