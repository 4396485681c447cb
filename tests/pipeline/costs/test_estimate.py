"""Estimates against arithmetic done by hand and against what others have published."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.commands.plan import command
from pipeline.config import load_config, parse_config
from pipeline.costs.estimate import CROP_BYTES, DETECTOR_BOXES, estimate_costs
from pipeline.costs.estimate_report import estimate_text, scaled
from pipeline.costs.network_flop import student_flop, teacher_flop
from tests.samples.coco_document import LEGS, coco_document, write_document

ROOT = Path(__file__).parents[3]
NARROW = {"backbone": "timm:resnet10t", "backbone_options": {"channels": [16, 32, 64, 128], "stem_width": 16}}


def configuration(**changes: object) -> dict[str, object]:
    return {
        "out": "results/x",
        "data": {
            "root": "nowhere",
            "train": {"images": "train2017", "annotations": "annotations/person_keypoints_train2017.json"},
            "val": {"images": "val2017", "annotations": "annotations/person_keypoints_val2017.json"},
        },
        "teachers": [{"name": "small", "reference": "vitpose-plus-small"}],
        "students": [{"name": "s", "model": {**NARROW, "weights": "none"}, "train": {"epochs": 10}}],
        "evaluate": {"flip": True},
        **changes,
    }


def test_the_papers_teacher_costs_what_is_known_of_it() -> None:
    """A folded pass over train2017: about 37 PFLOP, 28.6 % less than with all experts; 200 live epochs: 10 EFLOP."""
    folded, published = teacher_flop("vitpose-plus-huge"), teacher_flop("vitpose-plus-huge", folded=False)
    assert folded is not None
    assert published is not None
    assert folded * 149_813 == pytest.approx(37.5e15, rel=0.02)
    assert 1 - folded / published == pytest.approx(0.286, abs=0.001)
    assert published * 149_813 * 200 == pytest.approx(10.5e18, rel=0.02)


def test_the_papers_configuration_is_planned_without_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load_config("config/paper.yaml")
    few = config.model_copy(update={"students": config.students[:1], "teachers": config.teachers[:1]})
    found = estimate_costs(few)
    assert (found.rows, found.val_persons) == (149_813, 6_352)
    assert found.heatmap_bytes == 149_813 * 696
    assert found.crop_bytes == 149_813 * CROP_BYTES
    assert found.flop("train") == pytest.approx(3 * 200 * 149_813 * student_flop(few.students[0].model, 17))
    assert found.live_alternative is not None
    assert found.live_alternative[0] == pytest.approx(10.5e18, rel=0.02)


def test_controls_flip_views_and_live_teachers_are_counted() -> None:
    student = {
        "name": "s",
        "model": {**NARROW, "weights": "none"},
        "train": {"epochs": 10},
        "distill": {"mode": "live"},
    }
    config = parse_config(configuration(students=[student]))
    found = estimate_costs(config)
    stages = [(work.stage, work.name) for work in found.works]
    assert stages == [("train", "s"), ("live", "small"), ("train", "s-control"),
                      ("evaluate", "small"), ("evaluate", "s"), ("evaluate", "s-control")]  # fmt: skip
    assert found.live_alternative is None
    cached = estimate_costs(parse_config(configuration(store={"flip": True, "views": 3, "crops": False})))
    assert cached.works[0].passes == 149_813 * 4 * 2
    assert cached.heatmap_bytes == 149_813 * 4 * 696
    assert cached.crop_bytes == 0


def test_persons_are_counted_where_the_data_is(shared_data: Path) -> None:
    data = {"root": str(shared_data / "coco"),
            "train": {"images": "train", "annotations": "person_keypoints_train.json"},
            "val": {"images": "val", "annotations": "person_keypoints_val.json"}}  # fmt: skip
    found = estimate_costs(parse_config(configuration(data=data)))
    assert (found.rows, found.val_persons) == (716, 356)
    assert "counted in" in found.counted[0]


@pytest.mark.parametrize("stated", [{}, {"skeleton": "coco_wholebody", "category": ["7"]}])
def test_bytes_grow_with_the_joints_of_the_data(tmp_path: Path, stated: dict[str, object]) -> None:
    document = coco_document(names=LEGS, category=7)
    fields = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    if stated:
        # COCO-WholeBody's: the category names 17 keypoints, the annotations hold 133
        document = coco_document(category=7)
        document["categories"].append({"id": 8, "name": "legs", "keypoints": LEGS})
        for annotation in document["annotations"]:
            annotation |= {field: [1, 1, 2] * count for field, count in fields.items()}
    split = {"images": ".", "annotations": write_document(tmp_path, document).name}
    config = parse_config(configuration(data={"root": str(tmp_path), "train": split, "val": split, **stated}))
    found = estimate_costs(config)
    assert (found.rows, found.joints) == (4, 133 if stated else 6)
    assert found.heatmap_bytes == round(4 * 696 * found.joints / 17)
    (each,) = {work.flop_each for work in found.works if work.stage == "train"}
    flop_of_17 = student_flop(next(iter(config.runs.values())).model, 17)
    assert each is not None
    assert (each > flop_of_17) == (found.joints > 17)
    (line,) = (line for line in estimate_text(found, config, 1).splitlines() if line.startswith("store, heatmaps"))
    assert line.endswith(f"B  {round(696 * found.joints / 17)} bytes a row of {found.joints} joints in compact")


def test_unknown_data_and_unknown_networks_are_said_so() -> None:
    data = {"root": "nowhere",
            "train": {"images": "a", "annotations": "mine.json"},
            "val": {"images": "b", "annotations": "mine.json"}}  # fmt: skip
    config = parse_config(configuration(data=data, teachers=[{"name": "t", "reference": "onnx:t.onnx?frame=udp"}]))
    with pytest.raises(ValueError, match="--rows"):
        estimate_costs(config)
    found = estimate_costs(config, 1000, 100)
    assert found.uncounted == ["t"]
    assert "not counted" in estimate_text(found, config, 10)


def test_a_teacher_of_the_hub_with_options_is_counted() -> None:
    compiled, plain = (
        estimate_costs(parse_config(configuration(teachers=[{"name": "t", "reference": reference}])), 1000, 100)
        for reference in ("vitpose-plus-small?compile=1", "vitpose-plus-small")
    )
    assert compiled == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teachers": [{"name": "t", "reference": "vitpose-plus-hug"}]}, "did you mean vitpose-plus-huge"),
        ({"teachers": [{"name": "t", "reference": "vitpose-huge"}]}, "use vitpose-plus-huge"),
        ({"students": [{"name": "s", "model": {"backbone": "Efficientnet_B9"}}]}, "did you mean Efficientnet_B"),
    ],
)
def test_names_that_do_not_exist_are_named_with_those_near_them(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_costs(parse_config(configuration(**change)))


def test_a_detectors_boxes_are_counted_where_they_are(tmp_path: Path) -> None:
    joints = {"num_keypoints": 17, "keypoints": [5, 5, 2] * 17, "iscrowd": 0, "area": 100, "category_id": 1}
    people = [{"id": n, "image_id": 1, "bbox": [0, 0, 10, 10], **joints} for n in range(2)]
    image = {"id": 1, "file_name": "1.jpg", "width": 20, "height": 20}
    found = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": s} for s in (0.1, 0.5, 0.9)]
    coco = {"images": [image], "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "val.json").write_text(json.dumps(coco))
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    split = {"images": ".", "annotations": "val.json"}
    data: dict[str, object] = {"root": str(tmp_path), "train": split, "val": split}
    boxes = {"boxes": "boxes.json", "flip": False, "score_threshold": 0.3}
    config = parse_config(configuration(data=data, evaluate=boxes))
    assert {work.passes for work in estimate_costs(config).works if work.stage == "evaluate"} == {2}


def test_every_cached_teacher_is_counted() -> None:
    teachers = [{"name": size, "reference": f"vitpose-plus-{size}"} for size in ("small", "base")]
    found = estimate_costs(parse_config(configuration(teachers=teachers, store={"teachers": ["small", "base"]})))
    assert [work.name for work in found.works if work.stage == "cache"] == ["small", "base"]
    assert found.heatmap_bytes == 2 * 149_813 * 696


def test_hours_follow_from_the_speed_and_everything_is_marked_as_an_estimate(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(configuration()))
    slow, fast = (
        CliRunner().invoke(command, ["--configfile", str(tmp_path / "c.yaml"), "--tflops", speed, "--json"])
        for speed in ("10", "100")
    )
    one, other = json.loads(slow.output), json.loads(fast.output)
    assert one["estimate"] is True
    assert one["gpu_hours"] == pytest.approx(10 * other["gpu_hours"])
    total = sum(work["flop_each"] * work["passes"] for work in one["works"])
    assert one["gpu_hours"] == pytest.approx(total / 1e13 / 3600)
    text = CliRunner().invoke(command, ["--config", str(tmp_path / "c.yaml")]).output
    assert text.startswith("ESTIMATES")


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (999, "999 B"), (104_269_848, "104 MB"), (37.7e15, "37.7 PB")])
def test_numbers_are_scaled_by_decimal_prefixes(value: float, text: str) -> None:
    assert scaled(value, "B") == text


def test_the_demo_s_people_are_to_be_rendered_and_its_teacher_is_a_student(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load_config("config/demo.yaml")
    found = estimate_costs(config)
    assert config.data.rendered is not None
    assert (found.rows, found.val_persons) == (config.data.rendered.persons, config.data.rendered.val_persons)
    assert found.uncounted == []
    each = teacher_flop("student:demo")
    assert each is not None
    assert found.flop("cache") == each * found.rows
    assert teacher_flop("student:nowhere") is None


def test_a_detectors_boxes_that_are_not_there_are_counted_as_published() -> None:
    config = parse_config(configuration(evaluate={"boxes": "detections.json", "flip": False}))
    assert {work.passes for work in estimate_costs(config).works if work.stage == "evaluate"} == {DETECTOR_BOXES}
