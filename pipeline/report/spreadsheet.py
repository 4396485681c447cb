"""Text in CSV files that a spreadsheet opens: it must not become a formula there.

Spreadsheets run a cell that begins with =, +, - or @ as a formula, which can call programs and send data away. The
names of joints, students and photos come from files of others. The leading apostrophe is what spreadsheets themselves
put before text (OWASP, CSV injection). Numbers are not text and stay as they are.
"""

import re

# blanks before it do not keep a spreadsheet from it
FORMULA = re.compile(r"\s*[=+\-@\t]")
LINE_ENDS = re.compile(r"[\r\n]+")


def spreadsheet_text(text: str) -> str:
    """Return text for a cell on one line, with an apostrophe before what a spreadsheet would take for a formula."""
    text = LINE_ENDS.sub(" ", text)
    return f"'{text}" if FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """Return the text of a cell that `spreadsheet_text` wrote."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell
