"""metrics.json: what version 0.1 wrote opens and is written again the same; what is another file is refused."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.evaluation.metrics_file import METRICS, Metrics
from tests.samples import __file__ as samples


@pytest.fixture(scope="module")
def old_metrics() -> dict[str, Any]:
    with zipfile.ZipFile(Path(samples).with_name("version_0_1.zip")) as archive:
        return json.loads(archive.read("version_0_1/metrics.json"))


def test_a_file_of_version_0_1_is_read_and_written_the_same(old_metrics: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(old_metrics))
    metrics = Metrics.read(tmp_path / "old.json")
    assert metrics.numbers == {name: old_metrics[name] for name in METRICS}
    metrics.write(tmp_path / "new.json")
    written = json.loads((tmp_path / "new.json").read_text())
    assert written == old_metrics
    assert [*written] == [*old_metrics]
    assert [*written["protocol"]] == [*old_metrics["protocol"]]


def test_keys_of_a_later_version_are_ignored(old_metrics: dict[str, Any], tmp_path: Path) -> None:
    later = old_metrics | {"AP95": 0.1, "protocol": old_metrics["protocol"] | {"weather": "rain"}}
    (tmp_path / "later.json").write_text(json.dumps(later))
    assert old_metrics["AP"] == Metrics.read(tmp_path / "later.json").AP


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a metrics.json of `kdcache evaluate`"),
        ('{"params_m": 3}', r"AP: is missing\n  AR: is missing\n  protocol: is missing"),
    ],
)
def test_another_file_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        Metrics.read(tmp_path / "other.json")
