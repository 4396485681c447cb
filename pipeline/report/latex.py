"""LaTeX tables for booktabs."""

from collections.abc import Sequence

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

# tabulate's own formats escape text in a way that leaves the dagger and the minus sign as they are
BOOKTABS = TableFormat(
    lineabove=Line(r"\toprule", "", "", ""),
    linebelowheader=Line(r"\midrule", "", "", ""),
    linebetweenrows=None,
    linebelow=Line(r"\bottomrule", "", "", ""),
    headerrow=DataRow("", " & ", r" \\"),
    datarow=DataRow("", " & ", r" \\"),
    padding=0,
    with_header_hide=None,
)
SYMBOLS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "–": "--",
    **{character: "\\" + character for character in "&%$#_{}"},
}


def latex_table(heads: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], caption: str) -> str:
    """Return a `table*` environment: the first column to the left, numbers to the right, a rule between groups of rows.

    heads, cells and caption are plain text, which is escaped.
    """
    alignment = ["left"] + ["right"] * (len(heads) - 1)
    lines: list[Sequence[str] | str] = []
    for group in groups:
        if lines:
            lines.append(SEPARATING_LINE)
        lines += [[latex_text(cell) for cell in line] for line in group]
    body = tabulate(
        lines, [latex_text(head) for head in heads], tablefmt=BOOKTABS, disable_numparse=True, colalign=alignment
    )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering",
            r"\caption{" + latex_text(caption) + "}",
            r"\small",
            r"\begin{tabular}{l" + "r" * (len(heads) - 1) + "}",
            body,
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def latex_text(text: str) -> str:
    """Return plain text as LaTeX."""
    return "".join(SYMBOLS.get(character, character) for character in text)
