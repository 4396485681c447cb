"""`kdcache sigmas` as typed."""

import copy
from pathlib import Path

import yaml
from click.testing import CliRunner

from pipeline.cli import kdcache
from tests.samples.coco_document import LEGS, coco_document, write_document


def test_a_yaml_fragment_is_printed(tmp_path: Path) -> None:
    document = coco_document(names=LEGS)
    other = copy.deepcopy(document)
    for annotation in other["annotations"]:
        # every joint 2 pixels to the right: sqrt(4 / 2000)
        annotation["keypoints"] = [v + 2 * (place % 3 == 0) for place, v in enumerate(annotation["keypoints"])]
    files = [str(write_document(tmp_path, one, name)) for one, name in ((document, "a.json"), (other, "b.json"))]
    result = CliRunner().invoke(kdcache, ["sigmas", *files], catch_exceptions=False)
    assert yaml.safe_load(result.output) == {"sigmas": dict.fromkeys(LEGS, 0.0447)}
    assert result.output.count("# 4 persons") == 6
