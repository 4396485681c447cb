"""Markdown tables that can be read as they are."""

from pipeline.report.markdown import markdown_table, with_sentences


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
