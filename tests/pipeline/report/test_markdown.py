"""Markdown tables that can be read as they are."""

import html

import pytest
from markdown_it import MarkdownIt

from pipeline.report.markdown import markdown_table, markdown_text, with_sentences


def test_columns_are_aligned_in_the_source() -> None:
    table = markdown_table(["name", "on", "AP"], [["a", "x|y", "7"], ["bcd", "z", "70.5"]], names=2)
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip("-") for cell in lines[1].strip("|").split("|")] == [":", ":", ":"]
    assert lines[1].endswith("-:|")
    assert lines[2].replace("\\|", "/").split("|")[1:4] == [" a      ", " x/y ".ljust(len(" x/y ")), "    7 "]


def test_numbers_stay_as_they_are() -> None:
    assert "0.770" in markdown_table(["name", "n"], [["a", "0.770"]])
    assert "+2.0" in markdown_table(["name", "n"], [["a", "+2.0"]])


def test_each_sentence_has_its_line() -> None:
    assert with_sentences("| a |", ["One.", "Two."]) == "| a |\n\nOne.  \nTwo.  \n"


NAMES = [
    "Efficientnet_B0", "a|b", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
    "![a](http://x/y.png)", "**bold** _em_ `code`", "R&D &lt;b&gt; &#60;", "two\nlines", "<!-- gone", "~a~ \\| b",
    "<= 2", "http://x.org/a_b_c", "ends in \\",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_and_nothing_else_comes_out_of_it(name: str) -> None:
    page = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(with_sentences(markdown_table(["Model", "AP"], [[name, "70.5"]]), [f"on {name}"]))
    )
    shown = name.replace("\n", " ")
    assert f'<td style="text-align:left">{html.escape(shown, quote=False)}</td>' in page
    assert f"<p>on {html.escape(shown, quote=False)}</p>" in page.replace("&quot;", '"')
    assert page.count("<td") == 2


def test_usual_names_and_numbers_need_no_escapes() -> None:
    for text in ("Efficientnet_B0", "+2.0", "<= 2", "R&D", "HRNet-W32 (teacher)", "data a.json (01234567), 3 persons"):
        assert markdown_text(text) == text
