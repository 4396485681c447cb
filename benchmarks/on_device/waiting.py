"""No waiting: a step never waits for the GPU, the GPU never waits for the host or the loader."""

from collections.abc import Iterator, Mapping

from measured import Row, at_least, at_most
from on_device.attempts import attempt, described
from on_device.context import Context
from on_device.timing import event_seconds, no_waiting
from on_device.training import Training

from student.settings import Pixels
from student.training.step import take_step

PIXELS: tuple[Pixels, ...] = ("jpeg", "memory", "device")
#: views of a CPU's training are cut by its threads, from crops in memory
PIXELS_OF_A_CPU: tuple[Pixels, ...] = ("jpeg", "memory")
BUSY, SLOWER = 95.0, 1.05


def measure(context: Context) -> Iterator[Row]:
    """Yield the rows of each student as it is, with whole steps as CUDA graphs, and compiled."""
    ways: dict[str, dict[str, bool]] = {"eager": {}}
    if context.on_gpu:
        ways["CUDA graphs"] = {"cuda_graphs": True}
    if context.compiles:
        ways["compiled"] = {"compile": True}
    for way, changes in ways.items():
        for name in context.size.students:
            yield from attempt(f"{name}, {way}", of_student(context, name, f"{name}, {way}", changes))


def of_student(context: Context, name: str, label: str, changes: Mapping[str, bool]) -> Iterator[Row]:
    """Yield times and busy shares of one student, for each place of pixels."""
    steps, batch_size = context.size.steps, context.size.batch
    with Training(
        context.store, context.settings(name, pixels="jpeg", **changes), context.device, context.folder / label
    ) as training:
        learner = training.learner
        (batch,) = training.loader.batches(0, 1)
        first = event_seconds(lambda: take_step(learner, batch), context.device, 1)
        yield Row(f"{label}: first step", first, "s")
        step = training.step_seconds(steps)
        yield Row(f"{label}: step only", 1e3 * step, "ms", note=f"{batch_size / step:.0f} images/s")
        busy = busy_row(f"{label}: GPU busy, step only", training.busy_in_steps(max(2, steps // 3)), context.on_gpu)
        if busy.met is False:
            context.keep_profile(busy.what, lambda: take_step(learner, batch))
        yield busy
        for pixels in PIXELS if context.on_gpu else PIXELS_OF_A_CPU:
            training.use(context.settings(name, pixels=pixels, **changes))
            what = f"{label}, pixels {pixels}"
            yield from attempt(what, of_pixels(context, training, what, step))


def of_pixels(context: Context, training: Training, label: str, step: float) -> Iterator[Row]:
    """Yield what a loader takes by itself and in training, and whether a step waits for the device. step: seconds."""
    steps, batch_size = context.size.steps, training.loader.settings.batch_size
    # also the first epoch, whose crops are decoded and kept
    yield waits(training, f"{label}: waits of a step for the device", max(4, steps // 4))
    loader, both = training.loader_seconds(steps), training.both_seconds(steps)
    yield Row(f"{label}: loader only", 1e3 * loader, "ms", note=f"{batch_size / loader:.0f} images/s")
    images = f"{1e3 * both:.1f} ms, {batch_size / both:.0f} images/s"
    ratio = at_most(
        f"{label}: both over the slower", both / max(step, loader), SLOWER, "x", images, judged=context.on_gpu
    )
    if ratio.met is False:
        context.keep_profile(ratio.what, lambda: training.train(max(2, steps // 3)))
    yield ratio
    busy = training.busy_in_training(max(2, steps // 3))
    yield busy_row(f"{label}: GPU busy, both", busy, context.on_gpu)


def busy_row(what: str, share: float | None, judged: bool) -> Row:
    """Return the row of a share of the time in which a kernel runs."""
    if share is None:
        return Row(what, None, "%", f">= {BUSY:g}", note="needs a GPU and its counters")
    return at_least(what, 100 * share, BUSY, "%", judged=judged)


def waits(training: Training, what: str, steps: int) -> Row:
    """Return whether steps, with their batches from the loader, wait for the GPU somewhere."""
    if training.device.type != "cuda":
        training.train(steps)
        return Row(what, None, target="<= 0", note="a CPU has nothing to wait for")
    try:
        training.train(steps, no_waiting(training.device))
    except RuntimeError as error:
        training.learner.optimizer.zero_grad(set_to_none=True)
        return at_most(what, 1, 0, "", described(error))
    return at_most(what, 0, 0, "", "by set_sync_debug_mode")
