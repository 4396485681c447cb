"""What is written, and what is refused, without a browser."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from pipeline.hka.angles import MIN_SCORE, NOTICE, measure_angles
from pipeline.hka.coco_places import measured_network
from pipeline.hka.fit import find_fitted_joints
from pipeline.persons.photo_boxes import whole_photo_boxes
from pipeline.teachers.load import load_network
from pipeline.teachers.onnx_file import OnnxTeacher
from pipeline.teachers.student_run import run_folder
from pipeline.web.accuracy import read_accuracy
from pipeline.web.example import ANGLES
from pipeline.web.page import RUNTIME, SOURCE, write_page
from pipeline.web.page_settings import page_settings
from pipeline.web.script import joined_modules, worker_script
from student.export.half import with_half_weights
from student.inference import Inference
from tests.samples.open_page import script_element


def test_a_folder_of_four_files_that_says_what_it_is(demo_page: Path) -> None:
    assert sorted(path.name for path in demo_page.iterdir()) == [
        "index.html", "licences.txt", "manifest.webmanifest", "sw.js",
    ]  # fmt: skip
    page = (demo_page / "index.html").read_text()
    assert NOTICE in page
    assert "{{" not in page
    # neither script nor style nor picture is fetched
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "Microsoft Corporation" in (demo_page / "licences.txt").read_text()
    assert json.loads((demo_page / "manifest.webmanifest").read_text())["display"] == "standalone"
    assert hashlib.sha256(page.encode()).hexdigest()[:16] in (demo_page / "sw.js").read_text()
    script = page[page.rindex('<script type="module">') + len('<script type="module">') : page.rindex("</script>")]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page
    assert 6e6 < len(page) < 8e6


def test_the_network_is_in_the_page_in_float16(demo_page: Path, demo_file: Path) -> None:
    packed = script_element((demo_page / "index.html").read_text(), "network")
    inside = gzip.decompress(base64.b64decode(packed))
    assert inside == with_half_weights(demo_file).SerializeToString()
    assert len(inside) < 0.6 * demo_file.stat().st_size


def test_weights_in_half_give_the_same_heatmaps(demo_file: Path, tmp_path: Path) -> None:
    from pipeline.persons.sample_crops import rendered_crops
    from student.export.onnx_session import run_onnx

    onnx.save(with_half_weights(demo_file), tmp_path / "half.onnx")
    crops = rendered_crops(2, (128, 96))
    difference = np.abs(run_onnx(tmp_path / "half.onnx", crops) - run_onnx(demo_file, crops)).max()
    assert 0 < difference < 0.01


def test_the_runtime_is_the_file_that_its_readme_names() -> None:
    readme = (SOURCE / "vendor/README.md").read_text("utf-8")
    assert f"ONNX Runtime Web {RUNTIME}" in readme
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"):
        assert hashlib.sha256((SOURCE / "vendor" / name).read_bytes()).hexdigest() in readme


def test_other_evaluations_are_refused_and_nothing_is_written(demo_file: Path, tmp_path: Path) -> None:
    other: dict[str, object] = {"models": [{"name": "other", "digest": "1" * 64, "agreement": [], "calibration": None}]}
    (tmp_path / "hka.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="measurements of other, none of this network"):
        write_page(tmp_path / "page", demo_file, evaluation=tmp_path / "hka.json")
    (tmp_path / "hka.json").write_text("{}")
    with pytest.raises(ValueError, match="is not what `kdcache hka evaluate --out` writes"):
        write_page(tmp_path / "page", demo_file, evaluation=tmp_path / "hka.json")
    assert not (tmp_path / "page").exists()


def write_agreement(path: Path, rows: list[dict[str, object]]) -> None:
    """Write what an evaluation says of one network against the mechanical axis."""
    agreement = [{"truth": "mechanical axis", **row} for row in rows]
    path.write_text(json.dumps({"models": [{"name": "a", "digest": "1" * 64, "agreement": agreement}]}))


def test_the_error_is_that_on_the_largest_people_whatever_the_order_of_heights(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"on": f"rendered, {height} px", "legs": 9, "bias": bias, "lower": -9, "upper": 9, "within_2_degrees": 0.1,
         "correlation": 0.9}
        for height, bias in ((120, 3.0), (1000, 1.0), (480, 2.0))
    ]  # fmt: skip
    write_agreement(tmp_path / "hka.json", rows)
    assert read_accuracy(tmp_path / "hka.json", "1" * 64).bias == 1.0


def test_too_few_legs_are_no_statistic(tmp_path: Path) -> None:
    write_agreement(tmp_path / "hka.json", [{"on": "rendered, 240 px", "legs": 2, "bias": None}])
    with pytest.raises(ValueError, match="fewer than 3 measured legs"):
        read_accuracy(tmp_path / "hka.json", "1" * 64)


def test_a_network_of_normalised_floats_is_refused(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="takes normalised floats"):
        write_page(tmp_path / "page", shared_data / "teachers" / "tinypose_256x192.onnx?frame=stride")


def test_a_network_of_true_centres_measures_the_mechanical_axis(mechanical_file: Path) -> None:
    network = OnnxTeacher(str(mechanical_file), device="cpu")
    settings, _ = page_settings(network, "legs", "1" * 64, None, calibrate=False)
    assert settings["points"] == "axis"
    assert settings["measured"] == "legs, mechanical axis, {convention}, not calibrated"
    # the file's joints are in the order of its own skeleton, the page's in COCO's places
    assert [settings["model"]["keypoints"][joint] for joint in settings["model"]["legs"][0]] == [
        "left_femoral_head", "left_knee_centre", "left_talus",
    ]  # fmt: skip
    assert settings["model"]["places"][:5] == (None,) * 5


def test_the_example_of_a_network_that_knows_legs_only_shows_legs(tmp_path: Path) -> None:
    """The student that comes with kdcache finds the angles with which its example was rendered."""
    network = load_network("student:legs", "cpu")
    settings, jpeg = page_settings(network, "legs", network.digest, run_folder("legs") / "hka.json", calibrate=False)
    assert settings["shown"] == "legs"
    assert len(settings["check"]["joint"]) == 6
    accuracy = settings["accuracy"]
    assert (accuracy["legs"], accuracy["share"] >= 0.9, abs(accuracy["bias"]) <= 0.3) == (600, True, True)
    (tmp_path / "example.jpg").write_bytes(jpeg)
    persons = whole_photo_boxes([tmp_path / "example.jpg"])
    _, joints = find_fitted_joints(measured_network(network)[0], persons, Inference(device="cpu"), MIN_SCORE)
    medial = measure_angles(joints.xy, joints.score).medial[0]
    np.testing.assert_allclose(medial, ANGLES, atol=2)


def test_a_network_without_legs_is_refused(hand_file: Path) -> None:
    network = OnnxTeacher(str(hand_file), device="cpu")
    with pytest.raises(ValueError, match="has no left hip"):
        page_settings(network, "hand", "1" * 64, None, calibrate=False)


def test_modules_are_joined_once_each_after_what_they_import(tmp_path: Path) -> None:
    files = {
        "a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";\nconst a = b + c;\n',
        "b.js": 'import { c } from "./c.js";\nexport const b = c;\n',
        "c.js": "export const c = 1;\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    joined = joined_modules(tmp_path, "a.js")
    assert re.findall(r"^const (\w)", joined, re.MULTILINE) == ["c", "b", "a"]
    assert "import" not in joined
    assert "export" not in joined
    (tmp_path / "c.js").write_text('import { b } from "./b.js";\nexport const c = 1;\n')
    with pytest.raises(ValueError, match=r"a\.js -> b\.js -> c\.js -> b\.js"):
        joined_modules(tmp_path, "a.js")
    (tmp_path / "c.js").write_text("const a = 2;\nexport const c = 1;\n")
    with pytest.raises(ValueError, match=r"c\.js and a\.js both declare a"):
        joined_modules(tmp_path, "a.js")


def test_a_runtime_without_exports_is_refused() -> None:
    assert worker_script("let e=1;export{e as env};\n", "go();\n") == "let e=1;const ort={env:e};\ngo();\n"
    with pytest.raises(ValueError, match="does not end in its exports"):
        worker_script("let e=1;\n", "")


def test_modules_are_small() -> None:
    for path in (SOURCE / "js").iterdir():
        assert len(path.read_text("utf-8").splitlines()) < 300, path.name
