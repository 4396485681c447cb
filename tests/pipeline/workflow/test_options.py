"""Options that the workflow gives to commands: those of the configuration, and only options that the commands have."""

import importlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import click
import pytest

from pipeline.config import Config, parse_config
from pipeline.data_config import DataConfig
from pipeline.workflow import options, paths
from tests.pipeline.workflow.test_paths import SMALL

VAL = ["--images", "coco/val", "--annotations", "coco/val.json"]


def config(**changes: Any) -> Config:
    """Return SMALL with changes."""
    return parse_config({**SMALL, **changes})


def following(arguments: list[str], option: str) -> list[str]:
    """Return each argument that follows an option."""
    return [value for name, value in itertools.pairwise(arguments) if name == option]


def test_a_split_is_checked_as_it_will_be_read() -> None:
    cfg = config(store={"unlabelled": True}, evaluate={"boxes": "mine.json", "score_threshold": 0.5})
    train, val = options.check_options(cfg, "train"), options.check_options(cfg, "val")
    assert train == ["coco/train.json", "--images", "coco/train", "--unlabelled"]
    boxes = ["--boxes", "coco/mine.json", "--score-threshold", "0.5"]
    assert val == ["coco/val.json", "--images", "coco/val", *boxes, "--decode"]
    measured = config(students=[{"name": "s", "train": {"evaluate_epochs": 1}}])
    assert following(options.check_options(measured, "val"), "--same-as") == ["coco/train.json"]


def test_a_build_gets_the_settings_of_the_store() -> None:
    store = {"codec": "exact8", "flip": True, "crops": False, "views": 2, "shard_rows": 64, "max_rmse": 0.01}
    built = options.build_options(config(store=store), "tiny")
    assert ["--flip" in built, "--no-crops" in built, "--unlabelled" in built] == [True, True, False]
    values = {"--teacher": "onnx:tiny.onnx", "--codec": "exact8", "--views": "2", "--shard-rows": "64"}
    assert {name: following(built, name) for name in values} == {name: [value] for name, value in values.items()}
    assert following(built, "--max-rmse") == ["0.01"]
    assert "--unlabelled" in options.build_options(config(store={"unlabelled": True}), "vit")


def test_only_a_teacher_with_an_expected_ap_is_checked() -> None:
    checked, other = SMALL["teachers"]
    cfg = config(teachers=[{**checked, "expect_ap": 70, "tolerance": 0.5}, other])
    built = options.build_options(cfg, "vit")
    assert (following(built, "--expect-ap"), following(built, "--tolerance")) == (["70.0"], ["0.5"])
    assert following(built, "--expect-annotations") == ["coco/val.json"]
    assert not [name for name in options.build_options(cfg, "tiny") if name.startswith("--expect")]


def test_a_training_gets_photos_teacher_and_labels_only_where_it_needs_them() -> None:
    students = [
        {"name": "measured", "control": False, "train": {"evaluate_epochs": 1}},
        {"name": "live", "control": False, "distill": {"mode": "live"}},
    ]
    cfg = config(students=students, store={"teachers": ["vit", "tiny"]})
    stores = ["results/x/stores/vit.zarr", "results/x/stores/tiny.zarr"]
    measured, live = (options.train_options(cfg, name) for name in ("measured", "live"))
    assert measured[:2] == live[:2] == stores
    assert (following(measured, "--val-annotations"), following(measured, "--teacher")) == (["coco/val.json"], [])
    assert (following(live, "--val-annotations"), following(live, "--teacher")) == ([], ["vitpose-plus-huge"])
    assert "--images" not in live
    without_crops = options.train_options(config(store={"crops": False}), "b")
    assert following(without_crops, "--images") == ["coco/train"]


def test_a_network_is_a_teacher_reference_or_the_folder_of_a_run() -> None:
    assert options.network_argument(config(), "teachers/tiny") == ["--teacher", "onnx:tiny.onnx"]
    assert options.network_argument(config(), "students/a-control") == ["results/x/runs/a-control"]


def test_a_score_threshold_is_given_only_with_a_detector() -> None:
    annotated = options.evaluate_options(config(evaluate={"flip": False, "score_threshold": 0.5}), "teachers/vit")
    assert annotated[:7] == [*VAL, "--boxes", "gt", "--no-flip"]
    changes = {"boxes": "mine.json", "score_threshold": 0.5}
    detected = options.evaluate_options(config(evaluate=changes), "students/a")
    assert (following(detected, "--boxes"), following(detected, "--score-threshold")) == (["coco/mine.json"], ["0.5"])


def test_every_command_that_reads_photos_reads_them_in_the_same_way() -> None:
    reading = {"exif": True, "depth": 12, "checksums": ["a.md5", "b.md5"]}
    students = [{"name": "measured", "train": {"evaluate_epochs": 1}}, {"name": "plain"}]
    cfg = config(data={**SMALL["data"], **reading}, students=students, store={"crops": False})
    commands = {
        "check train": options.check_options(cfg, "train"),
        "check val": options.check_options(cfg, "val"),
        "build": options.build_options(cfg, "vit"),
        "train": options.train_options(cfg, "measured"),
        "evaluate": options.evaluate_options(cfg, "students/measured"),
        "hka": options.hka_options(cfg),
    }
    for name, given in commands.items():
        assert ("--exif" in given, following(given, "--depth")) == (True, ["12"]), name
        assert following(given, "--checksums") == ["coco/a.md5", "coco/b.md5"], name
    for given in (options.heatmaps_options(cfg), options.predictions_options(cfg)):
        assert ("--exif" in given, following(given, "--depth"), "--checksums" in given) == (True, ["12"], False)
    # of a training that measures no AP, the store says how its photos are read
    plain = options.train_options(cfg, "plain")
    assert ("--exif" in plain, following(plain, "--checksums")) == (False, ["coco/a.md5", "coco/b.md5"])
    in_store = config(data={**SMALL["data"], **reading}, students=students)
    assert "--checksums" not in options.train_options(in_store, "plain")
    assert "--no-exif" in options.evaluate_options(config(data={**SMALL["data"], "exif": False}), "students/a")


def test_settings_that_change_no_result_are_options_of_their_own() -> None:
    """They are laid over the file of settings, which keeps those of the first run; where students differ, it holds."""
    students = [{"name": name, "control": False, "train": {"workers": n, "lr": n}} for n, name in ((3, "a"), (5, "b"))]
    apart, together = config(students=students, device="cpu"), config(students=students, one_stream=True)
    changes = following(options.train_execution(apart, "a"), "--set")
    assert changes == [
        "train.workers=3", "train.pixels=auto", "train.pixels_gib=null", "train.checkpoint_minutes=5",
        "train.log_steps=50", "train.compile=auto", "train.cuda_graphs=false",
    ]  # fmt: skip
    assert following(options.train_execution(apart, "a"), "--device") == ["cpu"]
    assert following(options.train_execution(together, paths.ONE_STREAM), "--set") == changes[1:]
    (kept,) = json.loads(options.settings_of_results(paths.trainings(apart)["b"]))
    assert kept["train"]["lr"] == 5
    assert not kept["train"].keys() & {"workers", "pixels", "checkpoint_minutes", "log_steps", "compile"}
    assert "evaluate_epochs" in kept["train"]
    stored = config(store={"workers": 2, "batch_size": 9}, evaluate={"batch_size": 7}, device="cpu")
    assert options.build_execution(stored) == ["--workers", "2", "--batch-size", "9", "--device", "cpu"]
    assert options.evaluate_execution(stored) == ["--batch-size", "7", "--device", "cpu"]


def test_panels_show_the_requested_runs_and_persons() -> None:
    cfg = config(report={"students": ["b", "a-control"], "person_ids": [7, 9], "predictions_student": "a"})
    shown = ["results/x/runs/b", "results/x/runs/a-control"]
    panel = options.heatmaps_options(cfg)
    assert (following(panel, "--run"), following(panel, "--person"), "--persons" in panel) == (shown, ["7", "9"], False)
    assert following(options.heatmaps_options(config()), "--persons") == ["4"]
    assert following(options.predictions_options(cfg), "--run") == ["results/x/runs/a"]
    assert following(options.hka_options(cfg), "--student") == shown


def test_keypoints_of_the_data_and_names_of_a_teacher_go_to_every_command_that_reads_labels() -> None:
    stated = {"skeleton": "mechanical", "category": 7}
    joints = {"left_femoral_head": "left_hip", "left_talus": "left_ankle"}
    vit, tiny = SMALL["teachers"]
    teachers = [{**vit, "joints": joints}, tiny]
    cfg = config(data={**SMALL["data"], **stated}, teachers=teachers, students=[{"name": "a"}])
    keypoints, pairs = (
        ["--skeleton", "mechanical", "--category", "7"],
        [f"{ours}={its}" for ours, its in joints.items()],
    )
    built = options.build_options(cfg, "vit")
    assert (following(built, "--skeleton"), following(built, "--category")) == (["mechanical"], ["7"])
    assert (following(built, "--joint"), following(options.build_options(cfg, "tiny"), "--joint")) == (pairs, [])
    assert following(options.train_options(cfg, "a"), "--skeleton") == ["mechanical"]
    of_teacher, of_student = (options.evaluate_options(cfg, network) for network in ("teachers/vit", "students/a"))
    assert (of_teacher[4:8], following(of_teacher, "--joint")) == (keypoints, pairs)
    assert (of_student[4:8], following(of_student, "--joint")) == (keypoints, [])
    assert following(options.heatmaps_options(cfg), "--joint") == pairs
    of_angles = options.hka_options(cfg)
    assert (following(of_angles, "--skeleton"), following(of_angles, "--category")) == (["mechanical"], ["7"])
    assert options.heatmaps_options(cfg)[4:8] == options.predictions_options(cfg)[4:8] == keypoints


def test_rendering_needs_a_number_of_persons() -> None:
    rendered = {"persons": 24, "val_persons": 12, "seed": 3}
    cfg = config(data={**SMALL["data"], "rendered": rendered})
    assert options.demo_data_options(cfg) == ["--persons", "24", "--val-persons", "12", "--seed", "3"]
    of_centres = config(data={**SMALL["data"], "rendered": rendered, "skeleton": "mechanical"})
    assert options.demo_data_options(of_centres)[6:] == ["--skeleton", "mechanical"]
    legs = {**rendered, "level": "standing", "size": [384, 288], "boxes": "legs", "noise": False}
    expected = ["--level", "standing", "--boxes", "legs", "--no-noise", "--size", "384", "288"]
    assert options.demo_data_options(config(data={**SMALL["data"], "rendered": legs}))[6:] == expected
    with pytest.raises(ValueError, match=r"data\.rendered is missing"):
        options.demo_data_options(config())


def command(path: Sequence[str]) -> click.Command:
    """Return a `kdcache` command, or one of a group."""
    found: click.Command = importlib.import_module(f"pipeline.commands.{path[0].replace('-', '_')}").command
    for name in path[1:]:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def test_every_option_exists() -> None:
    checked, other = SMALL["teachers"]
    cfg = config(
        teachers=[{**checked, "expect_ap": 70, "joints": {"hip_l": "left_hip"}}, other],
        data={**SMALL["data"], "rendered": {}, "exif": False, "depth": 10, "checksums": ["sums.md5"]},
        store={"crops": False, "unlabelled": True, "max_rmse": 0.1},
        students=[{"name": "s", "distill": {"mode": "live"}, "train": {"evaluate_epochs": 1}}],
        evaluate={"boxes": "mine.json"},
    )
    keypoints = {"skeleton": "coco", "category": ["person", 7]}
    cfg = cfg.model_copy(update={"data": DataConfig.model_validate(cfg.data.model_dump() | keypoints)})
    assert cfg.data.category == ["person", "7"]
    given = {
        ("demo-data",): ["out", *options.demo_data_options(cfg)],
        ("check",): options.check_options(cfg, "val"),
        ("build",): ["store", *options.build_options(cfg, "vit"), *options.build_execution(cfg)],
        ("train",): [*options.train_options(cfg, "s"), *options.train_execution(cfg, "s")],
        ("evaluate",): [
            *options.network_argument(cfg, "teachers/vit"),
            *options.evaluate_options(cfg, "teachers/vit"),
            *options.evaluate_execution(cfg),
        ],
        ("benchmark",): [*options.network_argument(cfg, "students/s"), *options.benchmark_options(cfg)],
        ("report", "heatmaps"): [*options.heatmaps_options(cfg), *options.panel_execution(cfg), "--out", "x.png"],
        ("report", "predictions"): [*options.predictions_options(cfg), "--out", "x.png"],
        ("hka", "evaluate"): options.hka_options(cfg),
    }
    for path, arguments in given.items():
        context = command(path).make_context(path[-1], list(arguments))
        assert not context.args, path


def test_rows_are_read_by_the_command_that_makes_the_table() -> None:
    from pipeline.report.rows import RowFiles

    documents = [row.model_dump(mode="json") for row in paths.table_rows(config())]
    assert [RowFiles.model_validate(document) for document in documents] == paths.table_rows(config())
