"""What tests of many commands in one process have in common."""

import functools
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def sessions_are_kept() -> Iterator[None]:
    """Open each ONNX file once for all commands of a file of tests: onnxruntime takes a second to prepare one."""
    from pipeline.teachers import onnx_file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "open_session", functools.cache(onnx_file.open_session))
        yield
