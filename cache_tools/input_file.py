"""Files that a user names, read whole; what is there in place of a file is said with what was expected."""

from pathlib import Path

#: files that are named of a folder
SHOWN = 3


def read_input(path: str | Path, expected: str) -> bytes:
    """Return the content of a file.

    expected: what the file should be, for messages: "a COCO annotation file".
    Raises OSError in one sentence where it is not there, is a folder, or may not be read.
    """
    path = Path(path)
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"there is no file {path}: expected {expected}{_nearest(path)}") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path} is a folder: expected {expected}{_inside(path)}") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this user: expected {expected}") from None


def read_input_text(path: str | Path, expected: str) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark; ValueError where it is none."""
    try:
        return read_input(path, expected).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"{path} is no text in UTF-8 ({error.reason} at byte {error.start})"
        raise ValueError(f"{problem}: expected {expected}") from None


def kind_of(value: object) -> str:
    """Return what a value of a JSON or YAML document is, for messages: "a list"."""
    kinds = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return kinds.get(type(value), "a number")


def _nearest(path: Path) -> str:
    """Return the deepest folder of a path that is there, where the path's own is not."""
    there = next((folder for folder in path.absolute().parents if folder.is_dir()), None)
    return "" if there is None or there == path.absolute().parent else f"; its folder is not there either, only {there}"


def _inside(folder: Path) -> str:
    """Return files of a folder that may be meant: those with the suffixes that JSON and YAML have."""
    suffixes = (".json", ".yaml", ".yml")
    try:
        found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    except OSError:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"; it holds {', '.join(found[:SHOWN])}{more}" if found else ""
