"""Text of files of others, for a terminal."""

import re

# Control characters but line ends and tabs, and what reverses the direction of text: a terminal obeys them.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return text in which each character that a terminal would obey is written as its escape, like `\x1b`."""
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
