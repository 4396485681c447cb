"""The demo data set as a folder: both splits, and a note of the arguments that it was made with."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from cache_tools import files
from cache_tools.skeletons import COCO, Skeleton
from pipeline.demo.body_joints import body_joints
from pipeline.demo.coco_files import SIZE, SPLITS, Boxes, Knees, write_split
from pipeline.demo.levels import LEVEL_NAMES, STANDING

NOTE = "demo.json"
UNFINISHED = ".unfinished"  # everything is drawn in this folder and moved out when it is whole
GENERATOR = 2  # goes up when the same arguments give other photos
ANNOTATIONS = tuple(f"annotations/person_keypoints_{split}.json" for split in SPLITS)


def write_dataset(
    out: Path,
    persons: int,
    seed: int = 0,
    *,
    val_persons: int | None = None,
    noise: bool = True,
    level: str = "easy",
    workers: int = 1,
    skeleton: Skeleton = COCO,
    size: tuple[int, int] = SIZE,
    boxes: Boxes = "person",
    knees: Knees = "joint",
) -> dict[str, Any] | None:
    """Write train and val photos and their COCO keypoint files into `out`; None when they are there already.

    persons, val_persons: at least this many labelled persons (val: a sixth of train by default). noise: give the train
    split an annotator's errors; val is always exact and depends only on seed, level and val_persons. skeleton: whose
    keypoints people are labelled with; photo number N of a split is the same with every skeleton. size: height and
    width of the photos. boxes: around persons, or around their leg joints only.
    knees: labelled at the joint, or, of people who stand, where they show the mechanical axis (knee_labels.py).
    The same arguments give the same bytes on every processor.
    Returns the arguments and the numbers of photos and persons, as written into `out/demo.json`.
    Raises ValueError when `out` holds anything else, and for joints that rendered people do not have.
    """
    val_persons = max(1, persons // 6) if val_persons is None else val_persons
    arguments = {
        "generator": GENERATOR,
        "persons": persons,
        "val_persons": val_persons,
        "seed": seed,
        "noise": noise,
        "level": level,
    }
    if skeleton != COCO:
        arguments["skeleton"] = skeleton.to_json()
    if size != SIZE:
        arguments["size"] = list(size)
    if boxes != "person":
        arguments["boxes"] = boxes
    if knees != "joint":
        arguments["knees"] = knees
    _check(arguments, workers)
    body_joints(skeleton)
    if skeleton.fields != ("keypoints",):
        raise ValueError(f"skeleton {skeleton.name} has fields {list(skeleton.fields)}: expected one, `keypoints`")
    if _is_there(out, arguments):
        return None
    _clear(out)
    drawn = out / UNFINISHED
    try:
        drawing: dict[str, Any] = {
            "level": level,
            "workers": workers,
            "skeleton": skeleton,
            "size": size,
            "boxes": boxes,
            "knees": knees,
        }
        numbers = {
            "train": write_split(drawn, "train", persons, seed, noise=noise, **drawing),
            "val": write_split(drawn, "val", val_persons, seed, **drawing),
        }
        note = {"arguments": arguments, **numbers}
        files.write_json(drawn / NOTE, note)
        files.sync_tree(drawn)
        for name in (*SPLITS, "annotations", NOTE):  # the note last: with it the set is whole
            os.replace(drawn / name, out / name)
        drawn.rmdir()
        files.sync(out)
    except BaseException:
        _clear(out)
        raise
    return note


def _check(arguments: dict[str, Any], workers: int) -> None:
    if arguments["level"] not in LEVEL_NAMES:
        raise ValueError(f"unknown level {arguments['level']!r}: expected one of {', '.join(LEVEL_NAMES)}")
    if arguments.get("knees") and arguments["level"] != STANDING:
        raise ValueError(f"knees {arguments['knees']!r} with level {arguments['level']!r}: expected level {STANDING!r}")
    for name, least in (("persons", 1), ("val_persons", 1), ("seed", 0)):
        if arguments[name] < least:
            raise ValueError(f"{name} is {arguments[name]}: expected at least {least}")
    if workers < 1:
        raise ValueError(f"workers is {workers}: expected at least 1")


def _is_there(out: Path, arguments: dict[str, Any]) -> bool:
    """Return whether `out` holds the set of these arguments; raise ValueError when it holds files of others."""
    if not out.exists():
        return False
    if not out.is_dir():
        raise ValueError(f"{out} is a file: expected a new or an empty folder")
    held = [path for path in out.rglob("*") if not path.is_dir() and UNFINISHED not in path.relative_to(out).parts]
    if not held:
        return False
    whole = all((out / name).is_file() for name in ANNOTATIONS)
    if (out / NOTE).is_file():
        found = json.loads((out / NOTE).read_text()).get("arguments", {})
        if not whole:  # Snakemake removes the annotation files to have them made again
            return False
        if found == arguments:
            return True
        differing = [
            f"{key} {_shown(found.get(key))}, requested {_shown(arguments.get(key))}"
            for key in sorted(found.keys() | arguments.keys(), key=[*arguments, *found].index)
            if found.get(key) != arguments.get(key)
        ]
        raise ValueError(f"{out} holds other demo data ({'; '.join(differing)}): delete it or choose another folder")
    if (out / UNFINISHED).is_dir():
        return False
    raise ValueError(f"{out} is not empty ({held[0].name}, ...) and is not demo data: choose another folder")


def _shown(argument: Any) -> str:
    """Return an argument for a message; of a skeleton, which has many parts, the name and the keypoints."""
    if isinstance(argument, dict):
        return f"{argument.get('name')} ({', '.join(argument.get('names', ()))})"
    return repr(argument)


def _clear(out: Path) -> None:
    """Remove a demo data set from `out`, but no empty folders, which Snakemake may have made."""
    for name in (*SPLITS, UNFINISHED):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (*ANNOTATIONS, NOTE):
        (out / name).unlink(missing_ok=True)
