"""`kdcache train` and `kdcache benchmark --loader` as commands."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from student.run_record import RunRecord, read_record, resolved, write_record
from student.training.metric_logger import read_log
from tests.samples.command_line import run_command
from tests.samples.drawn_store import ColourTeacher, quick_settings, write_store
from tests.samples.small_build import write_photos

LIVE_TEACHER = "tests.samples.drawn_store:live_teacher"

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_command_names_every_mistake_in_the_settings(store: HeatmapStore, tmp_path: Path) -> None:
    result = run_command(
        "train", store.url, "--out", tmp_path / "run", "-s", "train.epohs=3", "--lr", "-1", "--alpha", "2"
    )
    assert result.code == 2
    for part in ("train.epohs: ", "train.lr: Input should be greater than 0", "distill.alpha"):
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--settings", "{}", "--students", "b0"], "give one of --settings and --students"),
        (["--val-images", "photos"], "--val-images and --val-annotations belong together"),
        (["-s", "train.lr"], "-s train.lr: expected PATH=VALUE"),
        (["--settings", "{"], "--settings is not JSON"),
        (["--settings", "bad.yaml"], "bad.yaml is not YAML"),
        (["--settings", "[1]"], "[1] holds a list: expected a mapping"),
        (["--students", "[]"], "holds a list: expected a list of students, each with its name"),
        (["--students", "efficientnet_b0,efficientnet_b0"], "each may be given once; found twice: efficientnet_b0"),
        (["-s", "model.heatmap_size=[8, 8]"], "heads end at stride 4"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("a: [")
    result = CliRunner().invoke(kdcache, ["train", "store.zarr", "--out", "run", *options])
    assert result.exit_code != 0
    assert message in f"{result.output} {result.exception}"
    assert not Path("run").exists()


def test_the_command_trains_several_and_writes_a_receipt(store: HeatmapStore, tmp_path: Path) -> None:
    students = [json.loads(quick_settings(name).model_dump_json()) for name in ("one", "two")]
    (tmp_path / "students.yaml").write_text(json.dumps(students))  # JSON is YAML
    result = run_command(
        "train", store.url, "--students", tmp_path / "students.yaml", "--out", tmp_path / "runs", "--device", "cpu",
        "--epochs", "1", "-s", "model.head_channels=8", "--receipt", tmp_path / "receipts",
    )  # fmt: skip
    assert result.code == 0, result.stderr
    assert "epochs: 1.0" in result.stderr
    for name in ("one", "two"):
        assert json.loads((tmp_path / "receipts" / f"{name}.json").read_text())["name"] == name
    assert read_record(tmp_path / "runs" / "two").settings.model.head_channels == 8


def test_ap_while_training_needs_persons_to_measure_it_on(store: HeatmapStore, tmp_path: Path) -> None:
    result = run_command("train", store.url, "--out", tmp_path / "run", "-s", "train.evaluate_epochs=1")
    assert result.code == 2
    assert "--val-images" in result.stderr
    assert not (tmp_path / "run").exists()


def trained(*arguments: str) -> str:
    """Return the output of `kdcache train`, run in this process."""
    result = CliRunner().invoke(kdcache, ["train", *arguments, "--device", "cpu"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_live_teacher_and_two_stores_by_command(store: HeatmapStore, tmp_path: Path) -> None:
    student = quick_settings(train__epochs=1).model_dump_json()
    live = ["--distill", "live", "--teacher", LIVE_TEACHER]
    trained(store.url, "--out", str(tmp_path / "live"), "--settings", student, *live)
    record = read_record(tmp_path / "live")
    assert record.finished
    assert record.data.live_teacher == ColourTeacher.digest
    half = write_store(tmp_path / "half.zarr", Path(store.url).parent / "photos", store.instances, scale=0.5)
    trained(store.url, half.url, "--out", str(tmp_path / "two"), "--settings", student)
    assert [teacher["name"] for teacher in read_record(tmp_path / "two").teachers] == ["exact x 1", "exact x 0.5"]
    teacher_losses = [read_log(tmp_path / name)[-1]["teacher"] for name in ("live", "two")]
    assert teacher_losses[0] != teacher_losses[1]


def test_boxes_are_enough_for_a_student_of_the_teacher_only(tmp_path: Path) -> None:
    """Pseudo-labels: persons without keypoints, alpha 1, trained to the end."""
    from pipeline.commands.build import command as build

    boxes = json.loads(write_photos(tmp_path, 16).read_text())
    for annotation in boxes["annotations"]:
        del annotation["keypoints"], annotation["num_keypoints"]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    store = str(tmp_path / "store.zarr")
    arguments = [store, "--teacher", "oracle", "--images", str(tmp_path), "--annotations"]
    result = CliRunner().invoke(
        build, [*arguments, str(tmp_path / "boxes.json"), "--unlabelled"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert not HeatmapStore.open(store).instances.visibility.any()
    student = quick_settings(train__epochs=2, train__log_steps=1).model_dump_json()
    trained(store, "--out", str(tmp_path / "run"), "--settings", student, "--alpha", "1")
    log = read_log(tmp_path / "run")
    assert len(log) == 4
    assert all(entry["loss"] == entry["teacher"] > 0 for entry in log)
    assert read_record(tmp_path / "run").finished


def test_what_limits_training_is_a_command(store: HeatmapStore, tmp_path: Path) -> None:
    from pipeline.commands.benchmark import command as benchmark

    # an unfinished run, of a live teacher, from weights that cannot be had here
    student = quick_settings(distill__mode="live", model__weights="imagenet")
    write_record(tmp_path / "run", RunRecord(name="a", settings=resolved(student)))
    arguments = [
        str(tmp_path / "run"),
        "--loader",
        str(store.url),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "limits.json"),
    ]
    assert CliRunner().invoke(benchmark, arguments).exit_code != 0  # there is no teacher
    result = CliRunner().invoke(benchmark, [*arguments, "--teacher", LIVE_TEACHER])
    assert result.exit_code == 0, result.output
    assert "limits" in result.output
    assert json.loads((tmp_path / "limits.json").read_text())["batch_size"] == 8
