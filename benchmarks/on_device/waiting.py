"""No waiting: a step never waits for the GPU, the GPU never waits for the host or the loader."""

from collections.abc import Iterator

from on_device.context import Context
from on_device.report import Row, at_least, at_most
from on_device.timing import busy_share, event_seconds, no_waiting
from on_device.training import Training

from student.batches.loader import Batch
from student.training.loop import take_step

BUSY, SLOWER = 95.0, 1.05
#: seconds to compile a student and to measure it, at most; without them a compiled one is not begun
COMPILE_SECONDS = 60.0


def measure(context: Context) -> Iterator[Row]:
    """Yield the rows of each student as it is, then of each one compiled."""
    for name in context.size.students:
        yield from of_student(context, name, compiled=False)
    for name in context.size.students if context.compiles else ():
        if context.seconds_left < COMPILE_SECONDS:
            yield Row(f"{name}, compiled", None, note="no time left to compile it")
            continue
        yield from of_student(context, name, compiled=True)


def of_student(context: Context, name: str, *, compiled: bool) -> Iterator[Row]:
    """Yield times and busy shares of one student, pixels from the store's JPEG."""
    steps, judged, batch_size = context.size.steps, context.on_gpu, context.size.batch
    label = f"{name}, {'compiled' if compiled else 'eager'}"
    settings = context.settings(name, compile=compiled)
    with Training(context.store, settings, context.device, context.folder / label) as training:
        learner = training.learner
        (batch,) = training.loader.batches(0, 1)
        first = event_seconds(lambda: take_step(learner, batch), context.device, 1)
        yield Row(f"{label}: first step", first, "s")
        training.train(4)
        yield waits(training, f"{label}: waits of a step for the device", max(4, steps // 4))
        step, loader = training.step_seconds(steps), training.loader_seconds(steps)
        both = training.both_seconds(steps)
        yield Row(f"{label}: step only", 1e3 * step, "ms", note=f"{batch_size / step:.0f} images/s")
        yield Row(f"{label}: loader only", 1e3 * loader, "ms", note=f"{batch_size / loader:.0f} images/s")
        ratio = both / max(step, loader)
        images = f"{1e3 * both:.1f} ms, {batch_size / both:.0f} images/s"
        yield at_most(f"{label}: both over the slower", ratio, SLOWER, "x", images, judged=judged)
        for what, share in shares(training, batch, steps).items():
            if share is None:
                yield Row(f"{label}: GPU busy, {what}", None, "%", f">= {BUSY:g}", note="needs a GPU and its counters")
            else:
                yield at_least(f"{label}: GPU busy, {what}", 100 * share, BUSY, "%", judged=judged)


def waits(training: Training, what: str, steps: int) -> Row:
    """Return whether steps, with their batches from the loader, wait for the GPU somewhere."""
    if training.device.type != "cuda":
        training.train(steps)
        return Row(what, None, target="<= 0", note="a CPU has nothing to wait for")
    try:
        training.train(steps, no_waiting(training.device))
    except RuntimeError as error:
        return at_most(what, 1, 0, "", str(error).splitlines()[0])
    return at_most(what, 0, 0, "", "by set_sync_debug_mode")


def shares(training: Training, batch: Batch, steps: int) -> dict[str, float | None]:
    """Return the share of the time in which a kernel runs: in steps on one batch, and in training."""
    calls, learner, device = max(2, steps // 3), training.learner, training.device
    step_only = busy_share(lambda: take_step(learner, batch), device, calls)
    return {"step only": step_only, "both": busy_share(lambda: training.train(calls), device, 1)}
