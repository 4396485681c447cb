"""Skeletons from YAML and from the categories of COCO files, by names, refused with the place of a mistake."""

import json
from pathlib import Path

import pytest

from cache_tools.skeletons import COCO, load_skeleton, skeleton_of_category

FEET = """
keypoints: [femoral_head_l, knee_l, talus_l, heel_l, toe_l, femoral_head_r, knee_r, talus_r, heel_r, toe_r]
edges: [[femoral_head_l, knee_l], [knee_l, talus_l]]
sigmas: 0.05
"""


def written(folder: Path, text: str) -> str:
    path = folder / "feet.yaml"
    path.write_text(text)
    return str(path)


def test_a_file_by_names(tmp_path: Path) -> None:
    skeleton = load_skeleton(written(tmp_path, FEET))
    assert (len(skeleton), skeleton.name) == (10, "feet")
    assert skeleton.mirror == (5, 6, 7, 8, 9, 0, 1, 2, 3, 4)
    assert skeleton.edges == ((0, 1), (1, 2))
    assert skeleton.sigmas == (0.05,) * 10


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "legs.json"
    path.write_text(json.dumps({"keypoints": ["a", "b"], "mirror": [["a", "b"]], "sigmas": {"a": 0.1, "b": 0.2}}))
    skeleton = load_skeleton(str(path))
    assert (skeleton.mirror, skeleton.sigmas) == ((1, 0), (0.1, 0.2))


@pytest.mark.parametrize(
    ("mirror", "order"),
    [
        ("", (1, 0, 2, 3)),
        ("mirror: []", (0, 1, 2, 3)),
        ("mirror: none", None),
        # added to what the names tell
        ("mirror: [[near, off]]", (1, 0, 3, 2)),
        # in place of what the names tell
        ("mirror: [[hip_l, near]]", (2, 1, 0, 3)),
    ],
)
def test_mirror_is_left_out_empty_none_or_added(tmp_path: Path, mirror: str, order: tuple[int, ...] | None) -> None:
    text = f"keypoints: [hip_l, hip_r, near, off]\n{mirror}\n"
    assert load_skeleton(written(tmp_path, text)).mirror == order


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [a]", "has no list `keypoints`"),
        ("keypoints: [a\n", "is not YAML"),
        ("keypoints: [a]\nsigma: 0.1", "unknown key 'sigma': expected sigmas"),
        ("keypoints: [hip_l, hip_r]\nedges: [[hip_l, hipr]]", "no keypoint 'hipr': did you mean hip_r"),
        ("keypoints: [a, b]\nedges: [[a]]", r"edges holds \['a'\]: expected pairs"),
        ("keypoints: [a, b]\nupper: a", "upper is 'a': expected a list"),
        ("keypoints: [a, b]\nmirror: yes", "mirror is True"),
        ("keypoints: [a, b]\nsigmas: {a: 0.1}", "sigmas has none for b"),
        ("keypoints: [a, b]\nsigmas: [0.1, x]", "sigmas holds 'x'"),
        ("keypoints: [a, b]\nsigmas: [0.1]", "1 OKS sigmas: expected 2"),
        ("keypoints: [a, b, c]\nmirror: [[a, b], [b, c]]", "b is in two mirror pairs"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_skeleton(written(tmp_path, text))


def test_an_unknown_name_has_neighbours() -> None:
    with pytest.raises(ValueError, match="expected a YAML file or one of crowdpose"):
        load_skeleton("crowdpos")


def test_a_category_with_the_names_of_a_built_in_skeleton_is_that_one() -> None:
    crowdpose = load_skeleton("crowdpose")
    # its own files carry the edges of COCO
    edges = [[a + 1, b + 1] for a, b in COCO.edges]
    assert skeleton_of_category({"keypoints": list(crowdpose.names), "skeleton": edges}) is crowdpose


def test_edges_are_counted_from_one_or_from_zero_and_those_of_another_skeleton_are_left_out() -> None:
    names = ["hip_l ", "hip_r", "knee_l", "knee_r"]

    def edges(*pairs: list[int]) -> tuple[tuple[int, int], ...]:
        skeleton = skeleton_of_category({"name": "legs", "keypoints": names, "skeleton": list(pairs)})
        assert skeleton is not None
        assert skeleton.names[0] == "hip_l"
        assert skeleton.mirror == (1, 0, 3, 2)
        return skeleton.edges

    assert edges([1, 3], [2, 4]) == ((0, 2), (1, 3))
    assert edges([0, 2], [1, 3]) == ((0, 2), (1, 3))
    assert edges([1, 3], [2, 17]) == ()


def test_pairs_and_halves_by_number_in_a_category_are_not_read() -> None:
    """Animal Kingdom's category has flip_pairs and upper_body_ids; whether they are right, nothing can tell."""
    names = ["Eye_Left", "Eye_Right", "Ankle_Left ", "Ankle_Right "]
    numbers = {"flip_pairs": [[0, 3], [1, 2]], "upper_body_ids": [0, 1], "lower_body_ids": [2, 3]}
    skeleton = skeleton_of_category({"name": "animal", "keypoints": names, "skeleton": [[0, 1]], **numbers})
    assert skeleton is not None
    assert (skeleton.mirror, skeleton.edges) == ((1, 0, 3, 2), ((0, 1),))
    assert skeleton.unknown() == ("no halves: no half-body views",)


def test_a_category_without_names_has_no_skeleton() -> None:
    assert skeleton_of_category({"id": 1, "name": "car"}) is None
    assert skeleton_of_category({"id": 1, "name": "face", "keypoints": []}) is None
    with pytest.raises(ValueError, match="named twice"):
        skeleton_of_category({"id": 1, "keypoints": ["a", "a"]})
