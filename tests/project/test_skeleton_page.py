"""docs/how-to/skeletons.md keeps its word: its two conversions of csv files run as they are printed."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from cache_tools.annotations import AnnotationFile, read_annotation_file
from cache_tools.skeletons import Skeleton, load_skeleton
from pipeline.config import parse_config
from pipeline.report.overlay import write_picture

PAGE = (Path(__file__).parents[2] / "docs/how-to/skeletons.md").read_text(encoding="utf-8")
CONVERSIONS = dict(
    zip(("lightning_pose", "deeplabcut"), re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True)
)
LIGHTNING_POSE = """\
scorer,anna,anna,anna,anna,anna,anna
bodyparts,nose,nose,paw_left,paw_left,paw_right,paw_right
coords,x,y,x,y,x,y
labeled-data/a/img1.png,10.5,20.0,30.0,44.0,,
labeled-data/a/img2.png,,,,,,
labeled-data/a/img3.png,50,60,nan,nan,50,60
"""
DEEPLABCUT = """\
scorer,,,anna,anna,anna,anna,anna,anna,anna,anna
individuals,,,m1,m1,m1,m1,m2,m2,single,single
bodyparts,,,nose,nose,paw_left,paw_left,nose,nose,paw_right,paw_right
coords,,,x,y,x,y,x,y,x,y
labeled-data,a,img1.png,10.5,20.0,30.0,44.0,70,80,,
labeled-data,a,img2.png,,,,,,,,
labeled-data,a,img3.png,50,60,,,,,55,66
"""
ONE_ANIMAL = """\
scorer,anna,anna,anna,anna
bodyparts,nose,nose,paw_left,paw_left
coords,x,y,x,y
labeled-data/a/img1.png,10.5,20.0,30.0,44.0
"""


def converted(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, table: str) -> AnnotationFile:
    """Run a conversion of the page on this table, beside photos; return what it wrote, as kdcache reads it."""
    monkeypatch.chdir(folder)
    for number in (1, 2, 3):
        write_picture(folder / f"labeled-data/a/img{number}.png", np.zeros((100, 120, 3), np.uint8))
    (folder / "CollectedData.csv").write_text(table)
    exec(compile(CONVERSIONS[name], name, "exec"), {})
    return read_annotation_file(folder / f"{name}.json")


@pytest.mark.parametrize("code", CONVERSIONS.values(), ids=CONVERSIONS)
def test_a_conversion_has_at_most_25_lines(code: str) -> None:
    assert len(code.splitlines()) <= 25


def test_lightning_pose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = converted(tmp_path, monkeypatch, "lightning_pose", LIGHTNING_POSE)
    persons = file.instances()
    assert (file.skeleton.names, file.skeleton.mirror) == (("nose", "paw_left", "paw_right"), (0, 2, 1))
    assert persons.file_name == ("labeled-data/a/img1.png", "labeled-data/a/img3.png")
    assert persons.visibility.tolist() == [[2, 2, 0], [2, 0, 2]]
    assert persons.keypoints[0].tolist() == [[10.5, 20], [30, 44], [0, 0]]
    # 24 pixels are the longer side, a fifth of it the margin; two points in one place have a box, too
    np.testing.assert_allclose(persons.box, [[5.7, 15.2, 29.1, 33.6], [46.0, 56.0, 8.0, 8.0]])
    assert persons.image_size.tolist() == [[100, 120]] * 2


def test_deeplabcut_with_several_animals_and_paths_in_three_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = converted(tmp_path, monkeypatch, "deeplabcut", DEEPLABCUT)
    persons = file.instances()
    assert file.skeleton.names == ("nose", "paw_left", "paw_right")
    assert [Path(name).name for name in persons.file_name] == ["img1.png", "img1.png", "img3.png", "img3.png"]
    assert persons.visibility.tolist() == [[2, 2, 0], [2, 0, 0], [2, 0, 0], [0, 0, 2]]
    assert persons.keypoints[[0, 3]].tolist() == [[[10.5, 20], [30, 44], [0, 0]], [[0, 0], [0, 0], [55, 66]]]
    np.testing.assert_allclose(persons.box[:2], [[5.7, 15.2, 29.1, 33.6], [66.0, 76.0, 8.0, 8.0]])


def test_deeplabcut_with_one_animal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = converted(tmp_path, monkeypatch, "deeplabcut", ONE_ANIMAL)
    assert (file.skeleton.names, len(file.instances())) == (("nose", "paw_left"), 1)
    np.testing.assert_allclose(file.instances().box, [[5.7, 15.2, 29.1, 33.6]])


def test_the_skeleton_file_and_the_configuration_of_the_page_are_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    skeleton, keys = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    Path("legs.yaml").write_text(skeleton)
    assert load_skeleton("legs.yaml").mirror == (3, 4, 5, 0, 1, 2)
    split = {"images": "a", "annotations": "a.json"}
    document = yaml.safe_load(keys)
    document["data"] |= {"root": ".", "train": split, "val": split}
    config = parse_config(document | {"out": "results", "students": [{"name": "s"}]})
    assert (config.data.category, config.teachers[0].joints) == (["runner", "cyclist"], {"femoral_head_l": "left_hip"})
    assert isinstance(load_skeleton(config.data.skeleton or ""), Skeleton)
