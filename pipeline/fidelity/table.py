"""The report of `kdcache fidelity` as text."""

from typing import Any

from tabulate import tabulate

HEADER = ("zoom", "persons", "maps", "RMSE at peaks", "median cosine", "OKS", "over live")
ALIGNMENT = ("left", "right", "left", "right", "right", "right", "right")


def fidelity_table(report: dict[str, Any]) -> str:
    """Return each replay against the live teacher, and all three against the labels, overall and by zoom."""
    teacher = report["teacher"]
    lines = []
    for label, part in report_parts(report):
        for arm, values in part["arms"].items():
            first = (label, str(part["persons"])) if arm == "live" else ("", "")
            numbers = [_text(values.get(name)) for name in ("rmse_at_peaks", "cosine_median", "oks")]
            lines.append((*first, arm, *numbers, _gain(values)))
    return "\n".join(
        [
            f"{report['persons']} persons ({report['joints']} joints) of {report['store']}, codec {report['codec']}",
            f"teacher {teacher['name']}{', averaged with its mirror' if teacher['flip'] else ''}; "
            "random zoom and rotation",
            "",
            tabulate(lines, HEADER, tablefmt="plain", disable_numparse=True, colalign=ALIGNMENT),
        ]
    )


def report_parts(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the numbers of all persons and of each bin of zoom, each with its label."""
    return [("all", report), *((_zoom_label(part["zoom"]), part) for part in report["by_zoom"])]


def _zoom_label(bounds: list[float | None]) -> str:
    low, high = bounds
    if high is None:
        return f"{low:g} and up"
    return f"below {high:g}" if not low else f"{low:g} to {high:g}"


def _text(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"


def _gain(values: dict[str, Any]) -> str:
    """Return the OKS gained over the live teacher with its standard error."""
    gain, error = values.get("oks_over_live"), values.get("oks_over_live_standard_error")
    if gain is None:
        return "-"
    return f"{gain:+.3f}" if error is None else f"{gain:+.3f} +- {error:.3f}"
