"""Options that say how values become heatmaps."""

import math

import numpy as np
import pytest
import torch

from pipeline.teachers.load import load_network
from pipeline.teachers.oracle import OracleTeacher
from pipeline.teachers.values import Rescaled, Values
from tests.samples.constant_onnx import peaks


def values_of(**options: str) -> Values:
    return Values.of("it", options)


def test_without_options_values_stay_as_they_are() -> None:
    maps = peaks()
    assert values_of().apply(maps, 2.0) is maps
    assert (values_of().text(), values_of().digest_parts(2.0)) == ("", ())


@pytest.mark.parametrize("text", ["1/255", "0.00392", "2", "1e-2"])
def test_a_scale_is_a_number_or_a_fraction(text: str) -> None:
    factor = eval(text)
    np.testing.assert_allclose(values_of(scale=text).apply(peaks() * 100, 2.0), peaks() * 100 * factor, rtol=1e-6)


def test_activations_are_torchs() -> None:
    logits = np.random.default_rng(0).normal(0, 200, (2, 3, 8, 6)).astype(np.float32)
    tensor = torch.from_numpy(logits)
    np.testing.assert_allclose(values_of(activation="sigmoid").apply(logits, 2.0), tensor.sigmoid(), atol=1e-6)
    expected = (0.1 * tensor).flatten(2).softmax(-1).unflatten(2, (8, 6)) * 2 * math.pi * 1.5**2
    found = values_of(activation="softmax", beta="0.1").apply(logits, 1.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_probabilities_of_a_gaussian_become_one_high(sigma: float) -> None:
    y, x = np.mgrid[:64, :48]
    gaussian = np.exp(-((y - 30) ** 2 + (x - 20) ** 2) / (2 * sigma**2)).astype(np.float32)
    scaled = values_of(scale="gaussian").apply(gaussian / gaussian.sum(), sigma)
    np.testing.assert_allclose(scaled, gaussian, atol=2e-3)
    logits = np.log(np.maximum(gaussian, 1e-30))
    np.testing.assert_allclose(values_of(activation="softmax").apply(logits, sigma), gaussian, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "wide"}, "scale is 'wide': expected a number above 0, as in 0.5 or 1/255, or gaussian"),
        ({"scale": "1/0"}, "scale is '1/0'"),
        ({"scale": "-1"}, "scale is '-1'"),
        ({"scale": "nan"}, "scale is 'nan'"),
        ({"activation": "tanh"}, "activation is 'tanh': expected sigmoid or softmax"),
        ({"beta": "10"}, "beta belongs to activation=softmax"),
        ({"activation": "softmax", "beta": "0"}, "beta is '0': expected a number above 0"),
        ({"activation": "softmax", "scale": "gaussian"}, "activation=softmax scales its own"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Values.of("it", options)


def test_two_settings_are_two_digests_and_two_names() -> None:
    settings = [{}, {"scale": "0.5"}, {"scale": "gaussian"}, {"activation": "sigmoid"}, {"activation": "softmax"}]
    settings.append({"activation": "softmax", "beta": "10"})
    networks = [Rescaled(OracleTeacher(), Values.of("it", one)) for one in settings]
    assert len({network.digest for network in networks}) == len(settings)
    assert len({network.name for network in networks}) == len(settings)
    assert networks[1].name == "gaussian-oracle?scale=0.5"


def test_a_python_teacher_takes_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_network("tests.samples.still_network:make", "cpu")
    halved = load_network("tests.samples.still_network:make?scale=1/2", "cpu")
    crops = np.zeros((2, 256, 192, 3), np.uint8)
    np.testing.assert_array_equal(halved(crops), plain(crops) / 2)
    assert halved.digest != plain.digest
    with pytest.raises(ValueError, match="unknown frame: expected scale, activation, beta"):
        load_network("tests.samples.still_network:make?frame=udp", "cpu")
