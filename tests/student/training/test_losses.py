"""The losses against formulas written again in float64, and against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import grey_dilation
from scipy.special import log_softmax

from student.settings import DistillSettings
from student.training.losses import (
    adaptive_wing,
    distillation_loss,
    foreground,
    joint_losses,
    spatial_divergence,
    squared_error,
)

Maps = NDArray[np.float64]
CELLS = st.floats(0, 1, width=32)
MAPS = arrays(np.float32, (1, 2, 5, 4), elements=CELLS)


def adaptive_wing_formula(prediction: Maps, target: Maps) -> Maps:
    """Equations of Wang et al. 2019, one cell at a time; (B, J)."""
    omega, theta, epsilon, alpha = 14.0, 0.5, 1.0, 2.1
    losses = np.zeros(target.shape)
    for cell in np.ndindex(target.shape):
        y, d = float(target[cell]), abs(float(target[cell] - prediction[cell]))
        a = (
            omega
            * (1 / (1 + (theta / epsilon) ** (alpha - y)))
            * (alpha - y)
            * (theta / epsilon) ** (alpha - y - 1)
            / epsilon
        )
        c = theta * a - omega * np.log(1 + (theta / epsilon) ** (alpha - y))
        losses[cell] = omega * np.log(1 + (d / epsilon) ** (alpha - y)) if d < theta else a * d - c
    weighted = np.stack([grey_dilation(m, size=(3, 3)) for m in target.reshape(-1, *target.shape[2:])]) > 0.2
    return (losses * (10 * weighted.reshape(target.shape) + 1)).mean(axis=(2, 3))


def random_maps(seed: int, shape: tuple[int, ...] = (3, 17, 9, 7)) -> tuple[Maps, Maps]:
    rng = np.random.default_rng(seed)
    target = rng.random(shape) ** 6
    target[0, 0] = 0  # a joint that is nowhere
    target[0, 1, 2, 3] = 1
    return target + rng.normal(0, 0.4, shape), target


def test_adaptive_wing_is_the_published_formula() -> None:
    prediction, target = random_maps(0)
    ours = adaptive_wing(torch.tensor(prediction), torch.tensor(target)).numpy()
    np.testing.assert_allclose(ours, adaptive_wing_formula(prediction, target), rtol=1e-12)
    single = adaptive_wing(torch.tensor(prediction).float(), torch.tensor(target).float()).numpy()
    np.testing.assert_allclose(single, ours, rtol=1e-5)


def test_adaptive_wing_gradient_by_finite_differences() -> None:
    prediction, target = (torch.tensor(m[:1, :3]) for m in random_maps(1))
    # no cell where the slope has a corner: at d = 0, or within a step of theta, where the second derivative jumps
    prediction += 1e-3 * ((prediction - target).abs() < 1e-3)
    assert torch.autograd.gradcheck(lambda p: adaptive_wing(p, target), prediction.requires_grad_(), atol=1e-6)


def test_other_gradients_by_finite_differences() -> None:
    prediction, target = (torch.tensor(m[:1, :3]) for m in random_maps(2))
    prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: squared_error(p, target), prediction)
    assert torch.autograd.gradcheck(lambda p: spatial_divergence(p, target, 0.3), prediction)


@given(st.floats(0, 1))
def test_adaptive_wing_is_continuous_at_theta(y: float) -> None:
    target = torch.full((1, 1, 1, 1), y, dtype=torch.float64)
    before, after = (adaptive_wing(target - 0.5 + step, target) for step in (1e-9, -1e-9))
    assert abs(float(before - after)) < 1e-5  # the version that divides by omega jumps by 5 at y = 1


@settings(max_examples=60)
@given(MAPS, MAPS, MAPS, st.sampled_from(["adaptive_wing", "mse", "kl"]), st.floats(0, 1))
def test_no_value_in_range_gives_nan(prediction: Maps, target: Maps, teacher: Maps, loss: str, alpha: float) -> None:
    predicted = torch.tensor(prediction).requires_grad_()
    weight = torch.ones(1, 2)
    rule = DistillSettings(loss=loss, temperature=0.1)
    total, _ = distillation_loss(predicted, torch.tensor(target), weight, torch.tensor(teacher), rule, alpha)
    total.backward()
    assert torch.isfinite(total)
    assert total >= -1e-6
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()


@pytest.mark.parametrize("outside", [-0.3, 1.2, 2.5])
def test_a_teacher_outside_its_range_is_cut(outside: float) -> None:
    prediction = torch.full((1, 1, 3, 3), 1.0, requires_grad=True)
    teacher = torch.full((1, 1, 3, 3), outside)
    total, _ = distillation_loss(prediction, None, None, teacher, DistillSettings(), alpha=1)
    total.backward()
    assert torch.isfinite(total)
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()


def test_foreground_is_the_dilated_target() -> None:
    target = torch.tensor(random_maps(3)[1])
    dilated = np.stack([grey_dilation(m, size=(3, 3)) for m in target.reshape(-1, 9, 7).numpy()])
    np.testing.assert_array_equal(foreground(target).reshape(-1, 9, 7).numpy(), dilated > 0.2)


def test_divergence_is_equation_two() -> None:
    prediction, target = random_maps(4)
    p, t = (log_softmax(m.reshape(3, 17, -1) / 0.2, axis=2) for m in (prediction, target))
    cross_entropy, entropy = -(np.exp(t) * p).sum(2), -(np.exp(t) * t).sum(2)
    ours = joint_losses(torch.tensor(prediction), torch.tensor(target), "kl", 0.2)
    np.testing.assert_allclose(ours.numpy(), (cross_entropy - entropy) * 0.2**2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["adaptive_wing", "mse", "kl"])
def test_masked_joints_count_for_nothing(loss: str) -> None:
    prediction, target = (torch.tensor(m) for m in random_maps(5))
    weight = torch.zeros(3, 17)
    weight[1, 4] = weight[2, 7] = 1
    rule = DistillSettings(loss=loss)
    total, parts = distillation_loss(prediction, target, weight, None, rule, alpha=0.7)
    single = joint_losses(prediction, target, rule.loss)
    expected = (single[1, 4] + single[2, 7]) / 2  # the mean is over these two, not over all 51
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(parts["ground_truth"], expected)
    target[weight == 0] = 1  # a masked target changes nothing
    torch.testing.assert_close(distillation_loss(prediction, target, weight, None, rule, 0.7)[0], expected)


def test_weights_multiply_the_loss() -> None:
    prediction, target = (torch.tensor(m) for m in random_maps(6))
    half, _ = distillation_loss(prediction, target, torch.full((3, 17), 0.5), None, DistillSettings(), 0)
    whole, _ = distillation_loss(prediction, target, torch.ones(3, 17), None, DistillSettings(), 0)
    torch.testing.assert_close(half, whole / 2)


def test_a_batch_without_labels_costs_nothing_and_stays_finite() -> None:
    prediction, target = (torch.tensor(m) for m in random_maps(7))
    total, _ = distillation_loss(prediction, target, torch.zeros(3, 17), None, DistillSettings(), 0)
    assert total == 0


def test_the_mix_and_its_parts() -> None:
    prediction, target = (torch.tensor(m) for m in random_maps(8))
    teacher = torch.tensor(random_maps(9)[1])
    weight = torch.zeros(3, 17)
    weight[:, :5] = 1
    rule = DistillSettings()
    total, parts = distillation_loss(prediction, target, weight, teacher, rule, alpha=0.7)
    torch.testing.assert_close(total, 0.3 * parts["ground_truth"] + 0.7 * parts["teacher"])
    torch.testing.assert_close(
        parts["teacher"], joint_losses(prediction, teacher, rule.loss).mean()
    )  # all 17, labelled or not


def test_alpha_one_needs_no_ground_truth_and_less_does() -> None:
    prediction, teacher = (torch.tensor(m) for m in random_maps(10))
    total, parts = distillation_loss(prediction, None, None, teacher, DistillSettings(), alpha=1)
    assert set(parts) == {"teacher"}
    torch.testing.assert_close(total, parts["teacher"])
    with pytest.raises(ValueError, match=r"alpha is 0.9: below 1 the loss needs ground truth"):
        distillation_loss(prediction, None, None, teacher, DistillSettings(), alpha=0.9)


def test_two_processes_make_the_gradient_of_the_joined_batch() -> None:
    prediction, target = (torch.tensor(m) for m in random_maps(11))
    weight = (torch.arange(51).reshape(3, 17) % 3 > 0).float()
    weight[0, :10] = 0
    rule = DistillSettings()

    def gradient(rows: slice, joints: float | None) -> torch.Tensor:
        predicted = prediction.clone().requires_grad_()
        total, _ = distillation_loss(predicted[rows], target[rows], weight[rows], None, rule, 0, joints)
        return torch.autograd.grad(total, predicted)[0]

    per_process = float((weight > 0).sum()) / 2
    mean = (gradient(slice(0, 1), per_process) + gradient(slice(1, 3), per_process)) / 2
    torch.testing.assert_close(mean, gradient(slice(0, 3), None))


def test_autocast_does_not_lower_the_precision() -> None:
    prediction, target = (torch.tensor(m, dtype=torch.float32) for m in random_maps(12))
    weight = torch.ones(3, 17)
    plain, _ = distillation_loss(prediction, target, weight, target, DistillSettings(), 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, _ = distillation_loss(prediction, target, weight, target, DistillSettings(), 0.5)
    assert cast.dtype == torch.float32
    assert cast == plain


def test_a_joint_that_no_teacher_knows_learns_from_its_labels_with_full_weight() -> None:
    generator = torch.Generator().manual_seed(4)
    target, teacher = torch.rand(2, 2, 3, 8, 6, generator=generator)
    weight, knows = torch.ones(2, 3), torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    settings = DistillSettings()

    def gradient(alpha: float, knows: torch.Tensor | None) -> torch.Tensor:
        prediction = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(5)).requires_grad_()
        distillation_loss(prediction, target, weight, teacher, settings, alpha, None, knows)[0].backward()
        assert prediction.grad is not None
        return prediction.grad

    partly, labels, both = gradient(0.7, knows), gradient(0.0, None), gradient(0.7, None)
    torch.testing.assert_close(partly[0, 1], labels[0, 1])
    torch.testing.assert_close(partly[0, [0, 2]], both[0, [0, 2]])
    torch.testing.assert_close(partly[1], both[1])


def random_batch(seed: int) -> tuple[torch.Tensor, ...]:
    """Return prediction, target, teacher (3, 17, 9, 7) and target weight (3, 17), of which the second row has none."""
    (prediction, target), (_, teacher) = random_maps(seed), random_maps(seed + 1)
    weight = torch.ones(3, 17)
    weight[1] = 0
    return torch.tensor(prediction), torch.tensor(target), torch.tensor(teacher), weight


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_only_the_teacher_teaches_persons_without_labels(alpha: float) -> None:
    prediction, target, teacher, weight = random_batch(13)
    rule, labelled = DistillSettings(), torch.tensor([1.0, 0.0, 1.0])
    total, _ = distillation_loss(prediction, target, weight, teacher, rule, alpha, labelled=labelled)
    labels = joint_losses(prediction, target, "adaptive_wing")[[0, 2]].mean()
    taught = joint_losses(prediction, teacher, "adaptive_wing")
    expected = (1 - alpha) * labels + (alpha * taught[[0, 2]].sum() + taught[1].sum()) / taught.numel()
    torch.testing.assert_close(total, expected)


def test_confidence_is_the_height_of_the_teachers_map() -> None:
    prediction, target, teacher, _ = random_batch(15)
    weight, heights = torch.ones(3, 17), torch.linspace(0, 1, 51, dtype=torch.float64).view(3, 17)
    teacher = (teacher + 0.01) / (teacher + 0.01).amax(dim=(2, 3), keepdim=True) * heights[..., None, None]
    rule = DistillSettings(confidence=True)
    total, _ = distillation_loss(prediction, target, weight, teacher, rule, 0.7)
    labels, taught = (joint_losses(prediction, maps, "adaptive_wing") for maps in (target, teacher))
    torch.testing.assert_close(total, ((1 - 0.7 * heights) * labels + 0.7 * heights * taught).mean())


def test_the_teachers_part_can_have_another_loss() -> None:
    prediction, target, teacher, _ = random_batch(17)
    rule = DistillSettings(teacher_loss="kl", temperature=0.2)
    _, parts = distillation_loss(prediction, target, torch.ones(3, 17), teacher, rule, 0.7)
    torch.testing.assert_close(parts["ground_truth"], joint_losses(prediction, target, "adaptive_wing").mean())
    torch.testing.assert_close(parts["teacher"], joint_losses(prediction, teacher, "kl", 0.2).mean())
