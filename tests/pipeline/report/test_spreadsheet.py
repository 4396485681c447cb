"""Text of others in CSV files: no spreadsheet runs it, and it is read back as it was."""

import csv
import io

import pytest

from pipeline.report.rows import Row
from pipeline.report.spreadsheet import spreadsheet_text, text_of_cell
from pipeline.report.table import table_csv
from tests.samples.report_rows import metrics

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "  =1", '=HYPERLINK("http://x")']


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert spreadsheet_text(text) == f"'{text}"
    assert text_of_cell(spreadsheet_text(text)) == text


def test_a_line_break_ends_no_row() -> None:
    assert [spreadsheet_text(text) for text in ("a\r\nb", "\r=1", "\n")] == ["a b", "' =1", " "]


@pytest.mark.parametrize("text", ["Resnet50", "a=b", "'quoted'", "", "'tis", "1-2"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert text_of_cell(spreadsheet_text(text)) == spreadsheet_text(text) == text


@pytest.mark.parametrize("name", FORMULAS)
def test_a_table_of_such_names_keeps_its_numbers(name: str) -> None:
    control = metrics(0.7, 0.75)
    row = Row(name=name, role="student", metrics=metrics(0.65, 0.7), control=control)
    _, line = csv.reader(io.StringIO(table_csv([row]), newline=""))
    assert line[0] == f"'{name}"
    # a gain below 0 is a number
    assert "-5" in line
