"""Markdown tables, with the sentences below them."""

from collections.abc import Sequence

from tabulate import tabulate


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Return a Markdown table whose source is aligned: `names` columns to the left, numbers to the right."""
    alignment = ["left"] * names + ["right"] * (len(heads) - names)
    lines = [[cell.replace("|", "\\|") for cell in line] for line in [heads, *rows]]
    return tabulate(lines[1:], lines[0], tablefmt="pipe", disable_numparse=True, colalign=alignment)


def with_sentences(table: str, sentences: Sequence[str]) -> str:
    """Return a table with sentences below it, each on a line of its own."""
    # two spaces at the end of a line are Markdown's line break
    return "\n".join([table, "", *(f"{sentence}  " for sentence in sentences)]) + "\n"
