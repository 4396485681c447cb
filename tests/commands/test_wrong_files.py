"""Every command that takes a file, given something else: one line that says what was found, and exit code 2."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore
from tests.samples.coco_document import coco_document, write_document
from tests.samples.command_line import Ended, run_command
from tests.samples.photo_files import content, picture

NETWORK = ("--teacher", "tests.samples.still_network:make", "--device", "cpu")
Words = tuple[str | Path, ...]
RESULTS = [{"image_id": 10, "category_id": 1, "keypoints": [1, 2, 0.5] * 17, "score": 0.5}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write photos with annotations, and files that are something else than was asked for."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "photos").mkdir()
    for number, image in enumerate(coco_document()["images"]):
        (folder / "photos" / image["file_name"]).write_bytes(content(picture(120, 160, number), "JPEG"))
    write_document(folder, coco_document())
    write_document(folder, RESULTS, "results.json")
    write_document(folder, [{"image_id": 10, "bbox": [float("nan"), 1, 2, 3], "score": 1}], "nan.json")
    write_document(folder, [{"image_id": 10, "bbox": [1, 1, 2, 3], "score": float("inf")}], "inf.json")
    write_document(folder, {}, "nothing.json")
    for name, data in {
        "empty.json": b"", "page.json": b"<!DOCTYPE html><html></html>", "bytes.json": bytes(range(256)),
        "text.json": b"hello\n", "number.json": b"7",
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)
    return folder


def commands(folder: Path, wrong: str | Path) -> dict[str, Words]:
    """Return each command with `wrong` in place of one of its files."""
    labels, photos, out = folder / "persons.json", folder / "photos", folder / "out"
    of_labels = ("--images", photos, "--annotations", labels)
    return {
        "check annotations": ("check", wrong, "--images", photos),
        "check boxes": ("check", labels, "--images", photos, "--boxes", wrong),
        "check same-as": ("check", labels, "--images", photos, "--same-as", wrong),
        "check skeleton": ("check", labels, "--images", photos, "--skeleton", f"{wrong}"),
        "check checksums": ("check", labels, "--images", photos, "--checksums", wrong),
        "build annotations": (
            "build", out / "s.zarr", "--teacher", "none", "--images", photos, "--annotations", wrong,
        ),
        "evaluate annotations": ("evaluate", *NETWORK, "--images", photos, "--annotations", wrong),
        "evaluate boxes": ("evaluate", *NETWORK, *of_labels, "--boxes", wrong),
        "evaluate run": ("evaluate", wrong, *of_labels),
        "evaluate store": ("evaluate", "--store", wrong, "--annotations", labels),
        "predict boxes": ("predict", photos, *NETWORK, "--boxes", wrong, "--out", out / "poses.json"),
        "predict student": ("predict", photos, "--student", wrong, "--out", out / "poses.json"),
        "hka calibration": ("hka", "measure", photos, *NETWORK, "--calibration", wrong),
        "hka annotations": (
            "hka", "evaluate", *NETWORK, "--rendered", "0", "--images", photos, "--annotations", wrong,
        ),
        "report annotations": (
            "report", "predictions", *NETWORK, "--images", photos, "--annotations", wrong, "--out", out / "a.png",
        ),
        "report rows": ("report", "table", "--rows", wrong, "--out", out),
        "sigmas": ("sigmas", wrong, labels),
        "info": ("info", wrong),
        "verify": ("verify", wrong),
        "export": ("export", wrong),
        "train store": ("train", wrong, "--out", out / "run"),
        "train settings": ("train", "no.zarr", "--out", out / "run", "--settings", wrong),
        "train students": ("train", "no.zarr", "--out", out / "run", "--students", wrong),
        "plan": ("plan", "--configfile", wrong),
        "run": ("run", "--configfile", wrong),
        "teacher": ("predict", photos, "--teacher", f"onnx:{wrong}?frame=stride", "--out", out / "poses.json"),
    }  # fmt: skip


NAMES = [*commands(Path(), "x")]
#: files, and the commands that have nothing to refuse in them
WRONG: dict[str, tuple[str, ...]] = {
    "nowhere.json": (), "photos": (), "empty.json": (), "page.json": (), "bytes.json": (), "text.json": (),
    "number.json": (), "results.json": (), "nothing.json": ("train settings",), "nan.json": (),
}  # fmt: skip


@pytest.mark.parametrize("command", NAMES)
def test_another_file_is_refused_by_name(command: str, folder: Path) -> None:
    for name, accepted in WRONG.items():
        if command in accepted:
            continue
        ended = run_command(*commands(folder, folder / name)[command])
        where = f"{command} {name}: {ended.stdout} {ended.stderr}"
        assert ended.code == 2, where
        assert "Traceback" not in ended.stderr, where
        assert "Errno" not in ended.stderr, where
        (line,) = [line for line in ended.stderr.splitlines() if line.startswith(("error: ", "Error: "))]
        assert name in line, where
        # what was expected, what to do, or a list of mistakes below
        said = line.partition(name)[2]
        assert ": " in said or said.endswith(":") or "expected" in line or "there is no" in line, where
    assert not (folder / "out").exists()


@pytest.mark.parametrize(("words", "message"), [
    (("check", "nowhere/a.json", "--images", "photos"), "there is no file nowhere/a.json: expected a COCO keypoint"),
    (("check", "photos", "--images", "photos"), "photos is a folder: expected a COCO keypoint annotation file"),
    (("check", ".", "--images", "photos"), "it holds bytes.json, empty.json, inf.json and"),
    (("check", "page.json", "--images", "photos"), "page.json is not JSON, it looks like a web page"),
    (("check", "results.json", "--images", "photos"), "it is a list, as boxes and results are: expected a COCO"),
    (("check", "persons.json", "--images", "persons.json"), "persons.json is a file: expected the folder of 2 photos"),
    (("check", "persons.json", "--images", "no"), "there is no folder "),
    (("check", "persons.json", "--images", "."), "/photos: give that folder"),
    (("check", "persons.json", "--images", "photos", "--boxes", "results.json"),
     "entry 0: it has keypoints and no bbox, as the results of poses have"),
    (("check", "persons.json", "--images", "photos", "--boxes", "nan.json"), "entry 0: its bbox is [nan, 1, 2, 3]"),
    (("check", "persons.json", "--images", "photos", "--boxes", "inf.json"), "entry 0: its score is inf"),
    (("info", "persons.json"), "persons.json is no store, it is a file and no folder"),
    (("train", "no.zarr", "--out", "run", "--settings", "empty.json"), "empty.json is empty: expected settings"),
    (("report", "table", "--rows", "number.json", "--out", "out"), "number.json holds a number: expected a list of"),
])  # fmt: skip
def test_the_message_says_what_was_found_and_what_to_do(
    words: Words, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    ended = run_command(*words)
    assert ended.code == 2
    assert message in ended.stderr, ended.stderr


def changed(folder: Path, change: Callable[[dict[str, object]], None], photos: str = "photos") -> Ended:
    """Check the annotations of the photos with each entry of `images` changed."""
    document = coco_document()
    for image in document["images"]:
        change(image)
    return run_command("check", write_document(folder, document, "changed.json"), "--images", folder / photos)


def test_paths_of_windows_and_of_another_folder(folder: Path) -> None:
    windows = changed(folder, lambda image: image.update(file_name=f"photos\\{image['file_name']}"), ".")
    assert windows.code == 0, windows.stderr
    prefixed = changed(folder, lambda image: image.update(file_name=f"val2017/{image['file_name']}"))
    assert "000.jpg is there: give a folder in which it is val2017/000.jpg" in prefixed.error
    absolute = changed(folder, lambda image: image.update(file_name=f"C:\\data\\{image['file_name']}"))
    assert "photos are not in" in absolute.error
    assert "C:/data/000.jpg first" in absolute.error


def test_the_home_folder_is_found_where_the_shell_left_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert run_command("check", "~/persons.json", "--images", "~/photos").code == 0


def test_files_in_utf_16_are_read_and_keys_that_are_there_twice_are_not(folder: Path) -> None:
    path = folder / "utf16.json"
    path.write_bytes(json.dumps(coco_document()).encode("utf-16"))
    assert run_command("check", path, "--images", folder / "photos").code == 0
    text = json.dumps(coco_document())
    path.write_text(text.replace('"iscrowd": 0', '"iscrowd": 0, "iscrowd": 1', 1))
    ended = run_command("check", path, "--images", folder / "photos")
    assert "the key 'iscrowd' of the object with id 100 is there twice, as 0 and 1" in ended.error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(folder: Path) -> None:
    path = write_document(folder, coco_document(), "locked.json")
    path.chmod(0)
    ended = run_command("check", path, "--images", folder / "photos")
    assert "locked.json may not be read by this user" in ended.error


def test_a_store_in_place_of_photos_and_photos_in_place_of_a_store(store: HeatmapStore, folder: Path) -> None:
    ended = run_command("check", folder / "persons.json", "--images", store.url)
    assert "2 of 2 photos are not in" in ended.error
    ended = run_command("info", folder / "photos")
    assert "photos is no store, it has no zarr.json: make one with `kdcache build`" in ended.error
