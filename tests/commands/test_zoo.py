"""`kdcache zoo`: the paper's numbers beside ours."""

import json

from click.testing import CliRunner

from pipeline.commands.zoo import command as zoo


def test_zoo_prints_the_paper_beside_ours() -> None:
    result = CliRunner().invoke(zoo, ["shufflenet_0.5", "Resnet50", "timm:resnet10t"])
    assert result.exit_code == 0, result.output
    head, *rows, verdict = result.output.splitlines()
    assert head.split() == ["name", "backbone", "Params", "M", "paper", "GFlops", "paper", "GMACs"]
    assert rows[0].split() == [
        "Shufflenet_0.5",
        "torchvision",
        "shufflenet_v2_x0_5",
        "3.162",
        "3.2",
        "0.369",
        "0.4",
        "0.183",
    ]
    assert rows[2].split()[4] == "-"  # the paper has no such row
    assert verdict == "2 of 2 within 0.05 on both columns"


def test_zoo_compares_only_what_the_paper_measured() -> None:
    for options in (["--head", "lateral"], ["--input-size", "128", "96"]):
        result = CliRunner().invoke(zoo, ["shufflenet_0.5", "--json", *options])
        assert json.loads(result.output)[0]["gflops_paper"] is None
