"""Text for what a skeleton or an annotation file says, as `kdcache skeleton` prints it."""

from collections.abc import Sequence
from typing import Any

CATEGORIES_SHOWN = 12
EDGES_SHOWN = 30
WIDTH = 15
Summary = dict[str, Any]


def built_in_text(summaries: Sequence[Summary]) -> str:
    """Return one line for each skeleton: how many joints, mirror pairs, joints in halves and edges it has."""
    rows = [
        [
            summary["name"],
            len(summary["joints"]),
            _pairs(summary),
            sum(joint["half"] is not None for joint in summary["joints"]),
            len(summary["edges"]),
            _sources(summary),
        ]
        for summary in summaries
    ]
    return _table(["skeleton", "keypoints", "mirror pairs", "in halves", "edges", "OKS sigmas"], rows)


def skeleton_text(summary: Summary) -> str:
    """Return what a skeleton says: a line of facts each, then a table of its joints."""
    return "\n".join([*_skeleton_lines(summary), "", _joint_table(summary, None)])


def annotation_text(summary: Summary) -> str:
    """Return what is read of an annotation file: a line of facts each, then a table of its joints and labels."""
    persons = f"{summary['persons']:,} in {summary['photos']:,} of {summary['photos_listed']:,} photos"
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in summary["left_out"].items()) or "nothing"
    lines = [
        _line("annotations", f"{summary['path']}, sha256 {summary['sha256'][:16]}"),
        categories_text(summary["categories"]),
        _line("persons", f"{persons}; left out: {left_out}"),
        *(_line("note", remark) for remark in summary["remarks"]),
        *_skeleton_lines(summary["skeleton"]),
    ]
    if summary["order"] is not None:
        changed = ", ".join(f"{name} is number {place + 1}" for name, place in summary["order"].items())
        lines.append(_line("order", f"another one in the file, put right: {changed}"))
    total = len(summary["skeleton"]["joints"])
    same = ", ".join(f"{name} {count}" for name, count in summary["same_joints"].items())
    lines.append(_line("same joints", f"of {total}, by name: {same or 'none of a built-in skeleton'}"))
    return "\n".join([*lines, "", _joint_table(summary["skeleton"], summary["labels"])])


def categories_text(categories: Sequence[Summary]) -> str:
    """Return the categories of a file; those of the same keypoints together, with the keypoints' names."""
    groups: dict[tuple[str, ...], list[Summary]] = {}
    for category in categories:
        groups.setdefault(tuple(category["keypoints"]), []).append(category)
    lines = []
    for names, members in groups.items():
        shown = ", ".join(map(_category, members[:CATEGORIES_SHOWN]))
        more = len(members) - CATEGORIES_SHOWN
        shown += f" and {more} more" if more > 0 else ""
        keypoints = f"{len(names)} keypoints: {', '.join(names)}" if names else "no keypoints named"
        lines.append(_line("category" if len(members) == 1 else f"{len(members)} categories", shown))
        lines.append(_line("", keypoints))
    return "\n".join(lines) or _line("categories", "the file lists none")


def _category(category: Summary) -> str:
    name = f"{category['id']} {category['name']}".rstrip()
    if "read" not in category:
        return name
    if not category["read"]:
        return f"{name} ({category['annotations']:,} annotations, not read)"
    return f"{name} ({category['persons']:,} of {category['annotations']:,} annotations)"


def _skeleton_lines(summary: Summary) -> list[str]:
    edges = ", ".join(f"{one}-{other}" for one, other in summary["edges"][:EDGES_SHOWN])
    more = len(summary["edges"]) - EDGES_SHOWN
    edges += f" and {more} more" if more > 0 else ""
    lines = [
        _line("skeleton", f"{summary['name']}, {len(summary['joints'])} keypoints; mirror pairs: {_pairs(summary)}"),
        _line("edges", edges or "none known: joints are drawn as dots"),
        _line("OKS sigmas", _sources(summary)),
        _line("angle of legs", summary["angle"] or "none: hip, knee and ankle of both legs are not all there"),
    ]
    if summary["fields"] != ["keypoints"]:
        lines.append(_line("fields", ", ".join(summary["fields"])))
    return lines + [_line("off", off) for off in summary["off"]]


def _pairs(summary: Summary) -> str:
    """Return the number of mirror pairs, or that the mirror order is not known."""
    if summary["joints"][0]["mirror"] is None:
        return "not known"
    return str(sum(joint["mirror"] != joint["name"] for joint in summary["joints"]) // 2)


def _sources(summary: Summary) -> str:
    """Return how many sigmas come from where."""
    sources = [joint["sigma_source"] for joint in summary["joints"]]
    if set(sources) == {"stated"}:
        return "stated"
    texts = {"coco": "COCO's of that name", "assumed": "assumed: AP compares only with others of the same sigmas"}
    return "; ".join(f"{sources.count(source)} {text}" for source, text in texts.items() if source in sources)


def _joint_table(summary: Summary, labels: dict[str, list[int]] | None) -> str:
    headers = ["", "joint", "mirror", "half", "sigma", "from", *(["unlabelled", "hidden", "seen"] if labels else [])]
    rows = [
        [
            number,
            joint["name"],
            "itself" if joint["mirror"] == joint["name"] else joint["mirror"] or "not known",
            joint["half"] or "-",
            f"{joint['sigma']:.3g}",
            joint["sigma_source"],
            *((f"{count:,}" for count in labels[joint["name"]]) if labels else ()),
        ]
        for number, joint in enumerate(summary["joints"], 1)
    ]
    return _table(headers, rows)


def _table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    from tabulate import tabulate

    numbers = {"", "keypoints", "mirror pairs", "in halves", "edges", "sigma", "unlabelled", "hidden", "seen"}
    aligned = ["right" if header in numbers else "left" for header in headers]
    return tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True, colalign=aligned)


def _line(title: str, text: str) -> str:
    return f"{title:{WIDTH}} {text}"
