"""`kdcache info`: print what a store holds and from what it was made."""

import json
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared_options import json_option
from pipeline.commands.store_text import error_text, part_sizes
from pipeline.printable import printable

if TYPE_CHECKING:
    from cache_tools.store.writer import HeatmapStore


@click.command("info")
@click.argument("store")
@json_option
def command(store: str, as_json: bool) -> None:
    """Print what STORE, a folder or a url, holds: teacher, rows, frame, codec, sizes, measured error."""
    from cache_tools.store.writer import HeatmapStore

    facts = store_facts(HeatmapStore.open(store))
    click.echo(json.dumps(facts, indent=1) if as_json else printable(facts_text(facts)))


def store_facts(store: "HeatmapStore") -> dict[str, Any]:
    """Return the receipt of a finished store, or the part of it that is known, and what says more of it.

    That is `url`, `finished`, `pending`, the skeleton's name, its keypoints, and those that the teacher does not know.
    """
    receipt, pending = store.read_receipt(), store.pending()
    names, known = store.spec.skeleton.names, store.spec.known_joints
    facts = {
        "url": store.url,
        "finished": receipt is not None,
        "shards": store.shards,
        "pending": pending,
        "skeleton": store.spec.skeleton.name,
        "keypoints": list(names),
        "unknown_keypoints": [name for name, is_known in zip(names, known, strict=True) if not is_known],
    }
    if receipt is None:
        receipt = {"rows": store.rows, "error": store.measured_error(), "spec": store.spec.to_json()}
    return facts | receipt


def facts_text(facts: dict[str, Any]) -> str:
    """Return the facts as aligned lines."""
    spec = facts["spec"]
    teacher, frame, crops, error = spec["teacher"], spec["frame"], spec["crops"], facts["error"]
    sizes = [f"{side[0]}x{side[1]}" for side in (frame["input_size"], frame["heatmap_size"])]
    done = facts["shards"] - len(facts["pending"])
    state = "finished" if facts["finished"] else f"{done} of {facts['shards']} shards; `kdcache build` again resumes"
    lines = {
        "store": facts["url"],
        "state": state,
        "rows": f"{facts['rows']:,} persons in {facts['shards']} shards of {spec['shard_rows']}",
        "teacher": f"{teacher['name']}{', flip averaged' if teacher['flip'] else ''}; licence: {teacher['licence']}",
        "teacher AP": "not measured" if teacher["ap"] is None else f"{teacher['ap']:g}",
        "teacher digest": teacher["digest"],
        "keypoints": f"{len(facts['keypoints'])} of {facts['skeleton']}: {', '.join(facts['keypoints'])}",
        "teacher knows": _known_text(facts),
        "annotations": _annotations_text(spec["annotations"]),
        "photos": _photos_text(spec.get("photos", {})),
        "frame": f"{frame['name']}, crops {sizes[0]}, heatmaps {sizes[1]}, sigma {frame['sigma']:g} cells, "
        f"box padding {frame['padding']:g}",
        "codec": spec["codec"],
        "codec error": f"{error_text(error)}, cosine {error['cosine_median']:.4f}, on {error['rows']} rows",
        "crops": "none" if crops is None else f"JPEG quality {crops['quality']}, {crops['region']}",
        "views": str(spec["views"] or "none"),
    }
    if facts["finished"]:
        lines["bytes a row"] = part_sizes(facts)
        lines["total"] = f"{sum(facts['bytes'].values()) / 1e6:,.1f} MB"
        lines["clamped"] = f"{facts['clamped']['below']:,} values below 0, {facts['clamped']['above']:,} above 1"
        if "unfit" in facts:
            from cache_tools.codec.windows import FIT_ERROR

            maps = spec["rows"] * len(facts["keypoints"]) * (1 + spec["views"])
            off = f"which are off by more than {FIT_ERROR:g} in a cell"
            lines["do not fit"] = f"{facts['unfit']:,} of {maps:,} maps, {off}"
        lines["digest"] = facts["digest"]
    lines["versions"] = ", ".join(f"{name} {version}" for name, version in spec["versions"].items())
    # one line each, whatever a store calls its teacher
    one_line = {name: text.replace("\n", "\\n") for name, text in lines.items()}
    return "\n".join(f"{name:15} {text}" for name, text in one_line.items())


def _known_text(facts: dict[str, Any]) -> str:
    """Return which keypoints the teacher has heatmaps of, and under which other names."""
    keypoints, unknown = facts["keypoints"], facts["unknown_keypoints"]
    names = facts["spec"]["teacher"].get("joints") or keypoints
    renamed = [f"{ours}={its}" for ours, its in zip(keypoints, names, strict=True) if its not in (ours, None)]
    text = f"{len(keypoints) - len(unknown)} of {len(keypoints)} keypoints" if unknown else "all of them"
    text += f", not {', '.join(unknown)}" if unknown else ""
    return f"{text}; {', '.join(renamed)}" if renamed else text


def _photos_text(photos: dict[str, Any]) -> str:
    """Return how the photos were read."""
    text = "turned by their EXIF orientation" if photos.get("exif") else "as stored"
    return text + (f", {photos['depth']} of 16 bits used" if photos.get("depth") else "")


def _annotations_text(annotations: dict[str, Any]) -> str:
    """Return the file that the rows were read from, and which of its persons they are."""
    text: str = annotations["source"] or "source not recorded"
    if categories := annotations.get("categories"):
        text += f", {'category' if len(categories) == 1 else 'categories'} {', '.join(map(str, categories))}"
    if not annotations.get("labelled", True):
        text += ", persons without labels too"
    if part := annotations.get("part"):
        text += f", part {part[0]} of {part[1]}"
    return text
