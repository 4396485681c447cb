"""LaTeX tables: aligned, with a rule between groups, and safe for any text."""

from pipeline.report.latex import latex_table, latex_text


def test_text_is_escaped() -> None:
    assert latex_text("a_b & 5 % of #1 {x} ~ ^ \\") == (
        r"a\_b \& 5 \% of \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert latex_text("2×3 ± 1 –† ‡") == r"2$\times$3 $\pm$ 1 --$^\dagger$ $^\ddagger$"


def test_groups_have_a_rule_between_them() -> None:
    text = latex_table(["Model", "AP"], [[["a_1", "70.1"]], [["b", "–‡"], ["c", "7.5"]]], "50 % of it")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[lines.index(r"\toprule") :] == [
        r"\toprule",
        r"Model & AP \\",
        r"\midrule",
        r"a\_1 & 70.1 \\",
        r"\midrule",
        r"b & --$^\ddagger$ \\",
        r"c & 7.5 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    assert r"\begin{tabular}{lr}" in lines
    assert r"\caption{50 \% of it}" in lines
