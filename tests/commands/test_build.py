"""`kdcache build`: its options; what it builds is tested in tests/pipeline/building."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.commands.build import command
from tests.samples.small_build import ROWS, arguments, small_job


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--expect-ap", "0.758"], "--expect-ap 0.758: give AP in percent"),
        (["--expect-ap", "75.8", "--expect-images", "x"], "--expect-images and --expect-annotations belong together"),
        (["--part", "0/4"], "'0/4': expected I/N with I from 1 to N"),
        (["--part", "half"], "'half': expected I/N"),
        (["--codec", "jpeg"], "'jpeg' is not one of"),
        (["--views", "-1"], "-1 is not in the range"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path: Path, options: list[str], message: str) -> None:
    job = small_job(tmp_path)
    result = CliRunner().invoke(command, [*arguments(job)[1:], *options])
    assert result.exit_code == 2
    assert message in result.output
    assert not Path(job.store).exists()


def test_it_prints_a_summary_and_writes_the_receipt(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    receipt = tmp_path / "new folder" / "receipt.json"
    options = ["--expect-ap", "1.5", "--tolerance", "1.5", "--receipt", str(receipt)]
    result = CliRunner().invoke(command, [*arguments(job)[1:], *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{job.store}: {ROWS} persons by gaussian-oracle, ")
    assert lines[1].startswith("bytes a person: heatmaps ")
    assert lines[2].startswith("compact: RMSE 0.00")
    document = json.loads(receipt.read_text())
    assert document["rows"] == ROWS
    assert document["spec"]["teacher"]["ap"] < 50
    assert [path.name for path in receipt.parent.iterdir()] == ["receipt.json"]
