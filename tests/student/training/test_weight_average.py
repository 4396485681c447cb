"""The moving average of weights against timm's, bit for bit."""

import torch
from timm.utils import ModelEmaV3
from torch import nn

from student.training.weight_average import WeightAverage


def network() -> nn.Sequential:
    """Return a network with parameters, statistics and a counter."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def test_it_is_timms_average() -> None:
    torch.manual_seed(0)
    model = network()
    ours, timms = WeightAverage(model, 0.99), ModelEmaV3(model, decay=0.99, use_warmup=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(1, 6):
        model(torch.randn(2, 3, 8, 8)).square().mean().backward()
        optimizer.step()
        for average in (ours, timms):
            average.update(model, step=step)
    expected = timms.module.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in ours.module.state_dict().items())
    assert ours.module[1].num_batches_tracked == 5
    assert not torch.equal(ours.module.state_dict()["0.weight"], model.state_dict()["0.weight"])


def test_weights_that_are_loaded_are_averaged() -> None:
    """A resumed run loads its weights and its average in place."""
    torch.manual_seed(0)
    model = network()
    average = WeightAverage(model, 0.5)
    average.update(model, step=10)
    other = network().state_dict()
    model.load_state_dict(other)
    average.module.load_state_dict(other)
    average.update(model, step=11)
    assert torch.equal(average.module[0].weight, other["0.weight"])
