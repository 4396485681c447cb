"""References: those of no kind are refused, with what was probably meant."""

import pytest

from pipeline.teachers.load import load_network
from pipeline.teachers.names import absolute_reference


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("vitpose-plus-hug", "did you mean vitpose-plus-huge"),
        ("vitpose-huge", "use vitpose-plus-huge"),
        ("onnx", "unknown teacher 'onnx'"),
        (":make", "module:factory"),
        ("non", "did you mean none"),
        ("none?flip=1", "unknown flip: it takes no options"),
    ],
)
def test_references_of_no_kind_are_refused(reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_network(reference, "cpu")


@pytest.mark.parametrize(
    ("reference", "absolute"),
    [
        ("onnx:nets/a.onnx?frame=udp", "onnx:/data/nets/a.onnx?frame=udp"),
        ("onnx:a.onnx?frame=udp&skeleton=ap10k", "onnx:/data/a.onnx?frame=udp&skeleton=ap10k"),
        ("onnx:a.onnx?skeleton=legs.yaml&scale=1/255", "onnx:/data/a.onnx?skeleton=/data/legs.yaml&scale=1/255"),
        ("vitpose:weights?compile=1&licence=MIT", "vitpose:/data/weights?compile=1&licence=MIT"),
        ("student:../runs/a", "student:/runs/a"),
        ("student:/runs/a", "student:/runs/a"),
        ("student:demo", "student:demo"),
        ("module:factory", "module:factory"),
        ("vitpose-plus-base?compile=1", "vitpose-plus-base?compile=1"),
        ("oracle?seconds_per_crop=1", "oracle?seconds_per_crop=1"),
    ],
)
def test_a_reference_is_made_absolute_where_it_names_a_path(
    monkeypatch: pytest.MonkeyPatch, reference: str, absolute: str
) -> None:
    monkeypatch.setattr("os.getcwd", lambda: "/data")
    assert absolute_reference(reference) == absolute
