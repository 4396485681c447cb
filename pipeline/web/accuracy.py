"""How far a network's angles are from the true ones, as the page states it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache_tools.json_file import read_json

#: correlation with the true angles below which a network is called a demonstration
LEAST_CORRELATION = 0.5
TRUTH = "mechanical axis"


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Error of angles on rendered people, in degrees of varus, found - true."""

    #: "axis": compared with the mechanical axis
    truth: str
    legs: int
    bias: float
    #: 95 % limits of agreement
    lower: float
    upper: float
    #: of legs within 2 degrees
    share: float
    correlation: float
    #: whether its angles do not follow the true ones
    useless: bool


def read_accuracy(path: Path, digest: str) -> Accuracy:
    """Read what `kdcache hka evaluate --out` measured of the network with this digest, on its largest rendered people.

    Raises ValueError where the file holds nothing of it, or too few legs for a statistic.
    """
    document = read_json(path, "what `kdcache hka evaluate --out` writes")
    try:
        models = document["models"]
        names = ", ".join(model["name"] for model in models)
        found = [row for model in models if model["digest"] == digest for row in model["agreement"]]
        rows = sorted((row for row in found if row["truth"] == TRUTH), key=_image_height)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not what `kdcache hka evaluate --out` writes ({type(error).__name__}: {error})"
        ) from None
    if not found:
        raise ValueError(
            f"{path} has measurements of {names}, none of this network (digest {digest[:12]}): run `kdcache hka "
            "evaluate` with it"
        )
    if not rows or rows[-1]["bias"] is None:
        raise ValueError(
            f"{path} has fewer than 3 measured legs of rendered people: run `kdcache hka evaluate --rendered 60`"
        )
    return _accuracy(rows[-1])


def _image_height(row: dict[str, Any]) -> int:
    """Return the pixels of a row "rendered, 240 px": rows are in the order of --heights, which may be any."""
    return int(row["on"].removeprefix("rendered, ").removesuffix(" px"))


def _accuracy(row: dict[str, Any]) -> Accuracy:
    # None where all angles are equal, which is no relation either
    correlation = row["correlation"] or 0.0
    return Accuracy(
        truth="axis",
        legs=row["legs"],
        bias=round(row["bias"], 4),
        lower=round(row["lower"], 4),
        upper=round(row["upper"], 4),
        share=round(row["within_2_degrees"], 4),
        correlation=round(correlation, 4),
        useless=correlation < LEAST_CORRELATION,
    )
