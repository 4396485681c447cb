"""cost.json: what version 0.1 wrote opens and is written again the same."""

import json
import zipfile
from pathlib import Path

import pytest

from pipeline.costs.cost_file import Cost
from tests.samples import __file__ as samples


def test_a_file_of_version_0_1_is_read_and_written_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(Path(samples).with_name("version_0_1.zip")) as archive:
        old = json.loads(archive.read("version_0_1/cost.json"))
    (tmp_path / "old.json").write_text(json.dumps(old))
    Cost.read(tmp_path / "old.json").write(tmp_path / "new.json")
    written = json.loads((tmp_path / "new.json").read_text())
    assert written == old
    assert [*written] == [*old]


def test_a_missing_key_is_named_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text('{"params_m": 3, "onnxruntime": {"device": "x"}}')
    with pytest.raises(ValueError, match=r"(?s)not a cost.json .*onnxruntime.latency_ms: is missing"):
        Cost.read(tmp_path / "wrong.json")
