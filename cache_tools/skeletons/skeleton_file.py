"""Skeletons by reference: a built-in name, or a YAML file, in which everything is said by names.

    keypoints: [hip_l, knee_l, ankle_l, hip_r, knee_r, ankle_r]
    mirror: [[hip_l, hip_r], ...]      # added to what names tell; []: each its own; none: unknown; left out: by names
    upper: [...]                       # and `lower`: halves, for half-body augmentation
    edges: [[hip_l, knee_l], ...]      # to draw
    sigmas: {hip_l: 0.107, ...}        # OKS; or one number for all, or a list in the order of the keypoints
    fields: [keypoints, foot_kpts]     # of an annotation, one after the other; left out: `keypoints`
    roles: {left_femoral_head: hip_l, ...}  # what joints are to angles; left out: by names (roles.py)
    name: legs                         # left out: the file's name

Everything but `keypoints` may be left out. JSON is YAML too.
"""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from cache_tools.input_file import read_input_text
from cache_tools.skeletons.keypoint_names import mirror_of_names, mirror_of_sided_names, require_name
from cache_tools.skeletons.roles import role_of_name, role_text
from cache_tools.skeletons.skeleton import COCO, Skeleton

FOLDER = Path(__file__).parent / "built_in"
KEYS = ("keypoints", "mirror", "upper", "lower", "edges", "sigmas", "fields", "name", "roles")


@cache
def built_in_names() -> tuple[str, ...]:
    """Return the names of the built-in skeletons."""
    return (COCO.name, *sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_skeleton(reference: str) -> Skeleton:
    """Return the skeleton that a built-in name or a YAML file gives.

    Raises ValueError with near names for an unknown name or a file that contradicts itself, OSError where it cannot be
    read.
    """
    if Path(reference).suffix in (".yaml", ".yml", ".json"):
        return read_skeleton(Path(reference))
    return built_in_skeleton(reference)


@cache
def built_in_skeleton(name: str) -> Skeleton:
    """Return the built-in skeleton of that name; ValueError with near names where there is none."""
    if name == COCO.name:
        return COCO
    if name not in built_in_names():
        near = get_close_matches(name, built_in_names()) or built_in_names()
        raise ValueError(f"unknown skeleton {name!r}: expected a YAML file or one of {', '.join(near)}")
    return read_skeleton(FOLDER / f"{name}.yaml")


def read_skeleton(path: Path) -> Skeleton:
    """Return the skeleton of a YAML file; ValueError says what in it is wrong."""
    import yaml

    # the parser in C is six times as fast, and not in every build of PyYAML
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(read_input_text(path, "a skeleton in YAML"), Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("keypoints"), list):
        raise ValueError(f"{path} has no list `keypoints`: expected the names of a skeleton's keypoints")
    unknown = [str(key) for key in document if key not in KEYS]
    if unknown:
        near = get_close_matches(unknown[0], KEYS, n=1) or KEYS
        raise ValueError(f"{path} has an unknown key {unknown[0]!r}: expected {' or '.join(near)}")
    try:
        return _skeleton_of(document, path.stem)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None


def _skeleton_of(document: Mapping[str, Any], file_name: str) -> Skeleton:
    names = tuple(str(name).strip() for name in document["keypoints"])
    return Skeleton(
        names=names,
        mirror=_mirror(document.get("mirror"), names),
        upper=_joints(document, "upper", names),
        lower=_joints(document, "lower", names),
        edges=_pairs(document, "edges", names),
        sigmas=_sigmas(document.get("sigmas"), names),
        fields=tuple(str(field) for field in _list(document, "fields")) or ("keypoints",),
        name=str(document.get("name", file_name)),
        roles=_roles(document.get("roles"), names),
    )


def _mirror(stated: Any, names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the mirror order that a file states, added to what the names tell."""
    if stated is None:
        return mirror_of_names(names)
    if stated == "none":
        return None
    if not isinstance(stated, list):
        raise ValueError(f"mirror is {stated!r}: expected pairs of names, [] or none")
    pairs = _pairs({"mirror": stated}, "mirror", names)
    paired = Counter(joint for pair in pairs for joint in set(pair))
    twice = [names[joint] for joint, count in paired.items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} is in two mirror pairs: expected one partner for each keypoint")
    order = list(mirror_of_sided_names(names)) if stated else list(range(len(names)))
    for joint in paired:
        # a stated pair takes the place of the one that its names tell
        order[order[joint]] = order[joint]
    for one, other in pairs:
        order[one], order[other] = other, one
    return tuple(order)


def _sigmas(stated: Any, names: tuple[str, ...]) -> tuple[float, ...] | None:
    if stated is None:
        return None
    if isinstance(stated, Mapping):
        for name in stated:
            require_name(str(name), names)
        missing = [name for name in names if name not in stated]
        if missing:
            raise ValueError(f"sigmas has none for {', '.join(missing)}: expected one for each keypoint, or no sigmas")
        stated = [stated[name] for name in names]
    values = stated if isinstance(stated, list) else [stated] * len(names)
    wrong = [value for value in values if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise ValueError(f"sigmas holds {wrong[0]!r}: expected numbers above 0")
    return tuple(float(value) for value in values)


def _roles(stated: Any, names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Return pairs of a role, spelled as `Skeleton` has it, and its joint."""
    if stated is None:
        return ()
    if not isinstance(stated, Mapping):
        raise ValueError(f"roles is {stated!r}: expected names by role, as in {{left_femoral_head: hip_l}}")
    pairs = []
    for text, name in stated.items():
        role = role_of_name(str(text))
        pairs.append((str(text) if role is None else role_text(role), _joint(name, names)))
    return tuple(pairs)


def _joints(document: Mapping[str, Any], key: str, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(_joint(name, names) for name in _list(document, key))


def _pairs(document: Mapping[str, Any], key: str, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    pairs = _list(document, key)
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"{key} holds {pair!r}: expected pairs of keypoint names")
    return tuple((_joint(one, names), _joint(other, names)) for one, other in pairs)


def _joint(name: Any, names: tuple[str, ...]) -> int:
    text = str(name).strip()
    require_name(text, names)
    return names.index(text)


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    stated = document.get(key)
    if stated is None:
        return []
    if not isinstance(stated, list):
        raise ValueError(f"{key} is {stated!r}: expected a list")
    return stated
