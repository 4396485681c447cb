"""docs/store-format.md keeps its word: its example reads every codec, and stores of a later kdcache open here."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.codec.profiles import PROFILES, SUPERSEDED, Codec, get_codec
from cache_tools.store.spec import StoreSpec
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from tests.samples.small_store import built, persons, spec_of, write

ROWS = 20


@pytest.mark.parametrize("codec", [*PROFILES, *SUPERSEDED])
def test_the_example_reads_a_store_of_every_codec(codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[3] / "docs" / "store-format.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 10
    assert "cache_tools" not in code
    store = built(tmp_path / "store", persons(ROWS), codec=codec, crops=None, views=0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    assert np.abs(np.asarray(names["heatmaps"]) - store.read([7])[0]).max() < 1e-6


def test_the_root_is_sealed_as_the_document_says(tmp_path: Path) -> None:
    built(tmp_path / "store", persons(ROWS))
    root = json.loads((tmp_path / "store" / "zarr.json").read_text())
    seal = root["attributes"]["kdcache"].pop("sha256")
    document = root["attributes"]["kdcache"] | {"root": root}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert seal == hashlib.sha256(text.encode()).hexdigest()


def later(json_of: Any) -> Any:
    """`to_json` of a later kdcache, which knows more fields."""

    def to_json(self: StoreSpec) -> dict[str, Any]:
        data = json_of(self)
        for part in (data, data["teacher"], data["annotations"], data["frame"], data["crops"]):
            part["mood"] = "good"
        return data

    return to_json


@pytest.mark.parametrize("codec", [*PROFILES, *SUPERSEDED])
def test_a_store_of_a_later_version_opens_reads_and_verifies(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = persons(ROWS), np.arange(ROWS)
    plain = built(tmp_path / "plain", table, codec=codec)
    with monkeypatch.context() as newer:
        newer.setattr(StoreSpec, "to_json", later(StoreSpec.to_json))
        codec_json = Codec.to_json
        newer.setattr(Codec, "to_json", lambda self: codec_json(self) | {"mood": "good"})
        spec = spec_of(table, codec=codec)
        object.__setattr__(spec, "codec", f"{codec}-2")
        store = HeatmapStore.create(tmp_path / "later", spec, table, replace(get_codec(codec), name=f"{codec}-2"))
        store.codec = plain.codec  # its writer knows the profile
        for shard in store.pending():
            write(store, shard)
        store.finalize()
    read = HeatmapStore.open(tmp_path / "later")
    assert (read.spec.codec, read.codec.name) == (f"{codec}-2", f"{codec}-2")
    assert verify_store(tmp_path / "later") == []
    receipt = read.read_receipt()
    assert receipt is not None
    assert receipt["spec"]["mood"] == "good"
    np.testing.assert_allclose(read.read(rows), plain.read(rows), atol=1e-6)
    np.testing.assert_allclose(read.read_views(rows).maps, plain.read_views(rows).maps, atol=1e-6)
    assert read.read_crops(rows) == plain.read_crops(rows)
