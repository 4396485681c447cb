"""Whether a file of weights is there and whole, told by its header and its length, without torch."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

#: of missing or damaged weights of a run
ADVICE = "run the same `kdcache train` again, which goes on from its last save or trains again; or copy the file again"


def find_damage(path: Path) -> str | None:
    """Return what is wrong with a file of weights: missing, empty, cut, of another kind; None where it is whole."""
    if not path.is_file():
        return "is missing"
    try:
        with safe_open(path, framework="numpy"):
            return None
    except (SafetensorError, OSError) as error:
        return f"is damaged ({error})"
