"""Markdown tables, with the sentences below them."""

import re
from collections.abc import Sequence

from tabulate import tabulate

# what begins a character's name or a tag in HTML; others show themselves
ENTITY = re.compile(r"&(?=#?\w+;)")
TAG = re.compile(r"<(?=[A-Za-z/!?])")
# `_` only where it can be emphasis, not within a name
MARKS = re.compile(r"[\\`*\[\]|]|(?<!\w)_|_(?!\w)")


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Return a Markdown table whose source is aligned: `names` columns to the left, numbers to the right."""
    alignment = ["left"] * names + ["right"] * (len(heads) - names)
    lines = [[markdown_text(cell) for cell in line] for line in [heads, *rows]]
    return tabulate(lines[1:], lines[0], tablefmt="pipe", disable_numparse=True, colalign=alignment)


def with_sentences(table: str, sentences: Sequence[str]) -> str:
    """Return a table with sentences below it, each on a line of its own."""
    # two spaces at the end of a line are Markdown's line break
    return "\n".join([table, "", *(f"{markdown_text(sentence)}  " for sentence in sentences)]) + "\n"


def markdown_text(text: str) -> str:
    """Return plain text as Markdown that shows it: no HTML, link, emphasis, table cell or line comes out of it."""
    text = TAG.sub("&lt;", ENTITY.sub("&amp;", " ".join(text.splitlines())))
    return MARKS.sub(r"\\\g<0>", text)
