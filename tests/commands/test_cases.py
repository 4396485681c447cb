"""Small inputs as people have them, one command each: what it prints, and its exit code.

Ten photos of COCO val2017 with 18 labelled persons; PP-TinyPose without flip test has AP 66.2 on them, whichever
equivalent way the same labels are written.
"""

import re
from pathlib import Path

import pytest

from cache_tools.store.writer import HeatmapStore
from tests.samples.command_line import run_command

PHOTOS = "{cases}/base/img"
EVALUATE = "evaluate --teacher {teacher} --no-flip --device cpu --images"
EVALUATE_COCO = EVALUATE.replace("{teacher}", "{teacher}&skeleton=coco")
BUILD = "build {out}/s.zarr --teacher {teacher} --device cpu --images"
PREDICT = "predict --teacher {teacher} --no-flip --device cpu --out {out}/poses.json"
#: of all ten photos, of the six that two files have, of eight as frames of videos, of photos compressed once more
AP, AP_OF_SIX, AP_OF_VIDEOS, AP_OF_TURNED = r"^66\.2 ", r"^62\.5 ", r"^72\.7 ", r"^66\.[123] "
#: command, exit code, what it prints
CASES = [
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/base/val.json", 0, AP),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/order/legs_first.json", 0, AP),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/order/posetrack18.json", 2,
     r"tinypose_256x192 does not say which joints its heatmaps are of, and the data are of person \(nose, head_bottom"),
    (f"{EVALUATE_COCO} {PHOTOS} --annotations {{cases}}/order/posetrack18.json", 0,
     r"does not know 2 of 17 joints \(head_bottom, head_top\): they count as missed"),
    (f"check {{cases}}/order/posetrack18.json --same-as {{cases}}/base/val.json --images {PHOTOS}", 2,
     r"category 1 person has other keypoints than coco: not left_eye, right_eye; but head_bottom, head_top"),
    (f"{BUILD} {PHOTOS} --annotations {{cases}}/order/legs_first.json", 0, r"18 persons by tinypose_256x192"),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/category/person_is_0.json", 0, AP),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/category/person_is_2.json", 0, AP),
    (f"{BUILD} {PHOTOS} --annotations {{cases}}/category/person_is_0.json", 0, r"18 persons by tinypose_256x192"),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/category/ball_is_1.json", 0,
     AP + r"(?s:.*)note: ball_is_1\.json: left out 10 another category, 1 no labelled keypoint"),
    (f"{BUILD} {PHOTOS} --unlabelled --annotations {{cases}}/category/ball_is_1.json", 0,
     r"ball_is_1\.json: 19 persons of coco; left out: 10 another category"),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/category/adult_child.json", 0, r"mean over 2 categories"),
    (f"{BUILD} {PHOTOS} --no-crops --annotations {{cases}}/category/adult_child.json", 0, r"18 persons by tinypose"),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/category/extra_image.json", 0, AP),
    (f"{EVALUATE} {{out}} --annotations {{cases}}/category/backslash.json", 0, AP),
    (f"{BUILD} {PHOTOS} --annotations {{cases}}/category/nobody.json", 2,
     r"nobody\.json lists 10 photos and no person on them: its 'annotations' are "),
    (f"{PREDICT} {PHOTOS} --boxes {{cases}}/category/person_is_2.json", 0, r"19 persons in 10 of 10 photos"),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/merged_ids/right.json", 0, AP_OF_SIX),
    (f"{EVALUATE} {PHOTOS} --annotations {{cases}}/merged_ids/merged.json", 2,
     r"merged\.json: two photos have the id 1: '000000000785\.jpg' and '000000013546\.jpg'"),
    (f"{BUILD} {PHOTOS} --annotations {{cases}}/merged_ids/merged.json", 2,
     r"merged\.json: two photos have the id 1: '000000000785\.jpg' and '000000013546\.jpg'"),
    (f"{EVALUATE} {{cases}}/exif/img3 --exif --annotations {{cases}}/base/val.json", 0, AP_OF_TURNED),
    (f"{EVALUATE} {{cases}}/exif/img3 --annotations {{cases}}/base/val.json", 0,
     r"warning: 10 of 10 photos have an EXIF orientation other than 1 .* give --exif"),
    (f"{EVALUATE} {{cases}}/exif/img6 --exif --annotations {{cases}}/base/val.json", 0, AP_OF_TURNED),
    (f"{EVALUATE} {{cases}}/exif/img6 --annotations {{cases}}/base/val.json", 2,
     r"is 640x425 pixels, its annotations say 425x640, as it is when its EXIF orientation 6 turns it: give --exif"),
    (f"{BUILD} {{cases}}/exif/img6 --annotations {{cases}}/base/val.json", 2, r"turns it: give --exif"),
    (f"{BUILD} {{cases}}/exif/img6 --exif --annotations {{cases}}/base/val.json", 0, r"18 persons by tinypose_256x192"),
    (f"{PREDICT} {{cases}}/motion_photo/img/000000005060.jpg", 0, r"1 persons in 1 of 1 photos"),
    (f"{PREDICT} {{cases}}/motion_photo/img/000000008021.jpg", 0, r"1 persons in 1 of 1 photos"),
    (f"{PREDICT} {{cases}}/motion_photo/img/000000009483.jpg", 2, r"000000009483\.jpg is a damaged JPEG file"),
    (f"{EVALUATE} {{cases}}/same_names --annotations {{cases}}/same_names/val.json", 0, AP_OF_VIDEOS),
    (f"{EVALUATE} {{cases}}/same_names --annotations {{cases}}/same_names/val.json --boxes "
     "{cases}/same_names/boxes_names_only.json", 0, AP_OF_VIDEOS),
    (f"{PREDICT} {{cases}}/same_names/video1 {{cases}}/same_names/video2 --boxes {{cases}}/same_names/boxes.json", 0,
     r"13 persons in 8 of 8 photos"),
    (f"{PREDICT} {{cases}}/same_names --boxes {{cases}}/same_names/boxes_names_only.json", 0,
     r"13 persons in 8 of 8 photos"),
    ("hka measure --teacher {teacher} --no-flip --device cpu {cases}/same_names", 0, r"(?m)^video2/0001\.jpg +0 +left"),
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("sessions_are_kept")


@pytest.fixture(scope="module")
def teacher(shared_data: Path) -> str:
    return f"onnx:{shared_data / 'teachers' / 'tinypose_256x192.onnx'}?frame=stride"


@pytest.mark.parametrize(("command", "code", "printed"), CASES, ids=lambda value: str(value).replace("{cases}/", ""))
def test_what_a_command_prints(
    command: str, code: int, printed: str, teacher: str, shared_cases: Path, tmp_path: Path
) -> None:
    (tmp_path / "val").symlink_to(shared_cases / "base" / "img")
    words = [word.format(cases=shared_cases, teacher=teacher, out=tmp_path) for word in command.split()]
    ended = run_command(*words)
    # the numbers of an evaluation are below their names
    numbers = re.sub(r"\A +AP .*\n *", "", ended.stdout)
    assert ended.code == code, ended.stderr
    assert re.search(printed, numbers + ended.stderr), numbers + ended.stderr
    assert "Traceback" not in ended.stderr
    if words[0] == "build":
        assert HeatmapStore.exists(f"{tmp_path}/s.zarr") is (code == 0)
