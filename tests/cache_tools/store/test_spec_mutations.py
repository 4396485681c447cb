"""Any change to the root of a store gives what the root then says, or a ValueError that names the field."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_tools.photos.options import PhotoOptions
from cache_tools.skeletons import load_skeleton
from cache_tools.store.root import ROOT, seal_root
from cache_tools.store.spec import StoreSpec, TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from tests.samples.mutations import Mutation, mutated, mutations, some
from tests.samples.small_store import persons, spec_of, write

PLAIN = spec_of(persons(5)).to_json()
#: with every field that may be left out
FULL = json.loads(
    json.dumps(
        make_spec(
            persons(5),
            TeacherSpec("rendered", "digest", joints=(*load_skeleton("mpii").names, None)),
            skeleton=load_skeleton("ap10k"),
            photos=PhotoOptions(exif=True, depth=12),
            categories=(2, 3),
            part=(1, 2),
        ).to_json()
    )
)
MUTATIONS = [*mutations(PLAIN)] + [one for one in mutations(FULL) if one.path[0] not in PLAIN or len(one.path) > 1]


def spec_or_message(document: Any) -> StoreSpec | str:
    try:
        return StoreSpec.from_json(document)
    except ValueError as refused:
        return str(refused)


def is_said(stated: Any, read: Any) -> bool:
    """Return whether everything that was read is what the document states; the document may state more."""
    if isinstance(read, dict):
        # no versions are the same as no `versions`
        return isinstance(stated, dict) and all(
            is_said(stated[name], read[name]) if name in stated else read[name] == {} for name in read
        )
    if isinstance(read, list):
        return isinstance(stated, list) and len(stated) == len(read) and all(map(is_said, stated, read))
    return bool(stated == read) and type(stated) is type(read)


@pytest.mark.parametrize(("document", "one_in"), [(PLAIN, 2), (FULL, 11)], ids=["plain", "full"])
def test_a_single_change_is_read_right_or_refused_by_name(document: Any, one_in: int) -> None:
    assert isinstance(spec_or_message(document), StoreSpec)
    refused = 0
    for mutation in some(mutations(document), one_in):
        changed = mutated(document, mutation)
        found = spec_or_message(changed)
        if isinstance(found, str):
            refused += 1
            named = [key for key in mutation.path if isinstance(key, str)]
            # a name that is there twice, a pair that is none: the skeleton's message says which
            words = {*named, *(("joint", "keypoint", "skeleton") if "skeleton" in named else ())}
            assert any(word in found.replace("format version", "format_version") for word in words), (mutation, found)
        else:
            assert is_said(changed, found.to_json()), (mutation, found)
    assert refused > 300


@given(st.sampled_from([PLAIN, FULL]), st.lists(st.sampled_from(MUTATIONS), min_size=2, max_size=4))
def test_several_changes_are_read_right_or_refused(document: Any, changes: list[Mutation]) -> None:
    changed = mutated(document, *changes)
    found = spec_or_message(changed)
    if isinstance(found, StoreSpec):
        assert is_said(changed, found.to_json())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> HeatmapStore:
    table = persons(5)
    made = HeatmapStore.create(tmp_path_factory.mktemp("mutated") / "a.zarr", spec_of(table), table)
    write(made, 0)
    made.finalize()
    return made


def store_or_message(url: str) -> HeatmapStore | str:
    try:
        return HeatmapStore.open(url)
    except ValueError as refused:
        return str(refused)


def test_a_store_whose_sealed_root_was_changed_is_opened_as_it_says_or_refused(store: HeatmapStore) -> None:
    """Whoever writes roots seals them: a seal says that the root is whole, not that it is right."""
    path = Path(store.url) / ROOT
    written = path.read_bytes()
    root = json.loads(written)
    content = {name: value for name, value in root["attributes"]["kdcache"].items() if name != "sha256"}
    changed = {"spec": content["spec"], "codec": content["codec"]}
    refused = 0
    for mutation in some(mutations(changed), 29):
        try:
            path.write_bytes(seal_root(root, {**content, **mutated(changed, mutation)}))
        except (UnicodeEncodeError, KeyError):
            continue
        opened = store_or_message(store.url)
        path.write_bytes(written)
        if isinstance(opened, str):
            assert opened.startswith(f"{store.url}/"), (mutation, opened)
            refused += 1
            continue
        assert (opened.rows, opened.codec.heatmap_size, opened.spec.joints) == (5, (64, 48), 17)
        codes = np.zeros((17, *opened.codec.code_shape), opened.codec.dtype)
        assert opened.codec.decode(codes).shape == (17, 64, 48)
    assert refused > 100
