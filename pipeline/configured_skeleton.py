"""The skeleton of a configuration's data, known before anything runs: for the workflow's rules and for `plan`."""

from functools import cache
from pathlib import Path

from cache_tools.annotations.annotation_file import EXPECTED
from cache_tools.annotations.categories import categories_of, chosen_categories, skeleton_and_order
from cache_tools.input_file import kind_of
from cache_tools.json_file import read_json
from cache_tools.skeletons import COCO, Skeleton, load_skeleton
from pipeline.config import Config


def configured_skeleton(config: Config) -> Skeleton:
    """Return the skeleton of the data: as stated, else as the validation labels name it, else COCO's.

    It is COCO's where the labels name no keypoints, and where they are not there yet: rendered and downloaded data are.
    Raises ValueError where the labels are no COCO file, or have categories of different keypoints and none is chosen.
    """
    if config.data.skeleton is not None:
        return load_skeleton(config.data.skeleton)
    path = config.data.path("val", "annotations")
    if config.data.rendered or config.data.download or not path.is_file():
        return COCO
    return _named_skeleton(path, tuple(config.data.category))


@cache
def _named_skeleton(path: Path, category: tuple[str, ...]) -> Skeleton:
    document = read_json(path, EXPECTED)
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds {kind_of(document)}: expected {EXPECTED}")
    try:
        chosen = chosen_categories(categories_of(document), category)
        named, _ = skeleton_and_order(chosen, None, None)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None
    return named or COCO
