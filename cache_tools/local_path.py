"""Whether text names a file of this machine or a url, of which a path would be a folder named `s3:`."""

import re

# pathlib drops one slash of two. Drives of Windows are one letter.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def is_url(text: str) -> bool:
    """Return whether text is a url, also one that has lost a slash."""
    return _URL.match(text) is not None


def check_local(text: str) -> str:
    """Return text that may name a file of this machine; ValueError for a url."""
    if is_url(text):
        raise ValueError(f"{text!r} is a url: expected a path on this machine; only stores can be urls")
    return text
