"""The files of a ViTPose folder beside its configuration: weights, in one file or several, and the preprocessor's."""

from pathlib import Path

import numpy as np

from cache_tools.json_file import read_json
from student.normalise import IMAGENET_MEAN, IMAGENET_STD


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of a folder that hold weights, those that an index names included.

    Raises FileNotFoundError naming a part that is missing, ValueError for an index that is not JSON.
    """
    files = set(folder.glob("model*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = {
            folder / str(name) for name in read_json(index, "an index of safetensors files")["weight_map"].values()
        }
        if missing := sorted(part.name for part in parts if not part.is_file()):
            raise FileNotFoundError(
                f"{index} names {len(parts)} files of weights, and {', '.join(missing)} is not beside it: download the "
                "folder again"
            )
        files |= parts
    return tuple(sorted(files))


def check_preprocessor(folder: Path) -> None:
    """Raise ValueError where a folder's preprocessor states another mean or standard deviation than ImageNet's.

    Crops are normalised by those, whatever the file says of sizes and affine transforms, which are ours.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return
    stated = read_json(path, "the settings of a preprocessor")
    if stated.get("do_normalize") is False:
        raise ValueError(f"{path}: do_normalize is false: expected crops by ImageNet's mean and standard deviation")
    for name, expected in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD)):
        found = stated.get(name)
        if found is not None and not np.allclose(found, expected, atol=1e-3):
            raise ValueError(
                f"{path}: {name} is {found}: expected ImageNet's {list(expected)}; give such a network as a Python "
                "teacher (docs/own_teacher.py), which normalises crops itself"
            )
