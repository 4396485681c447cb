"""AP, or another metric, over the steps of several runs: seeds of a student as a mean and a band, and its gain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipeline.report.bubble_chart import STYLE
from student.run_record import read_record
from student.training.metric_logger import read_log

CONTROL = "-control"
SEED = re.compile(r"-seed\d+(?=(-control)?$)")
# inches
FIGURE_SIZE = (7.2, 4.4)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The runs of one student with S seeds, measured at the same T steps."""

    name: str
    #: (S,) in rising order
    seeds: tuple[int, ...]
    #: (T,)
    steps: NDArray[np.int64]
    #: (S, T) percent
    values: NDArray[np.float64]
    #: (S,) of training, without evaluations
    seconds: NDArray[np.float64]

    @property
    def final(self) -> NDArray[np.float64]:
        """Return the values at the last step (S,)."""
        return self.values[:, -1]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Differences between two arms at the last step, seed by seed, in percent."""

    mean: float
    lowest: float
    highest: float
    #: standard deviation of the differences over the seeds; NaN of one seed
    spread: float
    #: the larger standard deviation of the two arms, which a seed's own persons and start enlarge
    spread_of_arms: float


def read_arms(runs: Sequence[Path], metric: str = "AP") -> list[Arm]:
    """Return the arms of these runs, in order of their first run; `-seedN` in a run's name is left out.

    metric: of those that are logged, such as AP50. Raises ValueError for a run that is not finished or did not log it,
    and for runs of one arm that were measured at different steps.
    """
    arms: dict[str, list[Path]] = {}
    for run in runs:
        arms.setdefault(SEED.sub("", read_record(run).name), []).append(run)
    return [_read_arm(name, folders, metric) for name, folders in arms.items()]


def _read_arm(name: str, runs: Sequence[Path], metric: str) -> Arm:
    curves = []
    for run in runs:
        record = read_record(run)
        entries = [entry for entry in read_log(run) if entry.get(metric) is not None]
        if not record.finished or not entries:
            problem = f"logged no {metric}: train it with --val-images" if record.finished else "is not finished"
            raise ValueError(f"{run} {problem}")
        steps = tuple(entry["step"] for entry in entries)
        curves.append((record.settings.train.seed, steps, [100 * e[metric] for e in entries], record.seconds or 0.0))
    curves.sort()
    seeds, steps_of, values, seconds = zip(*curves, strict=True)
    if len(set(steps_of)) > 1:
        raise ValueError(f"runs of {name} were measured at different steps: expected equal train.evaluate_epochs")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{name} is there twice with one seed: give each run once")
    return Arm(
        name=name,
        seeds=seeds,
        steps=np.array(steps_of[0]),
        values=np.array(values, np.float64),
        seconds=np.array(seconds),
    )


def control_of(arm: Arm, arms: Mapping[str, Arm], against: str | None = None) -> Arm | None:
    """Return the arm with which one is compared: its control, else `against`; None where neither is another arm."""
    chosen = arms.get(f"{arm.name}{CONTROL}", arms.get(against or ""))
    return None if chosen is None or chosen is arm or arm.name.endswith(CONTROL) else chosen


def gain_of(arm: Arm, control: Arm) -> Gain:
    """Return what `arm` gains against `control` at the last step. ValueError where steps or seeds differ."""
    if arm.seeds != control.seeds or arm.steps[-1] != control.steps[-1]:
        raise ValueError(
            f"{arm.name} and {control.name} cannot be compared: seeds {arm.seeds} and {control.seeds}, "
            f"{arm.steps[-1]} and {control.steps[-1]} steps; expected equal ones"
        )
    differences = arm.final - control.final
    spreads = [one.final.std(ddof=1) if len(one.seeds) > 1 else np.nan for one in (arm, control)]
    return Gain(
        mean=float(differences.mean()),
        lowest=float(differences.min()),
        highest=float(differences.max()),
        spread=float(differences.std(ddof=1)) if len(differences) > 1 else np.nan,
        spread_of_arms=float(np.max(spreads)),
    )


def curves_table(arms: Sequence[Arm], against: str | None = None, metric: str = "AP") -> str:
    """Return a Markdown table of the arms: the metric of each seed, mean, spread, gain and seconds of training."""
    by_name = {arm.name: arm for arm in arms}
    if against is not None and against not in by_name:
        raise ValueError(f"--against {against}: expected one of {', '.join(by_name)}")
    lines = [
        f"| | {metric} by seed | mean | spread | gain (lowest, highest) | spread of gain | gain / spread | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        spread = f"{arm.final.std(ddof=1):.2f}" if len(arm.seeds) > 1 else ""
        control = control_of(arm, by_name, against)
        gained = spread_of_gain = ratio = ""
        if control is not None:
            gain = gain_of(arm, control)
            gained = f"{gain.mean:+.2f} ({gain.lowest:+.2f}, {gain.highest:+.2f})"
            spread_of_gain = "" if np.isnan(gain.spread) else f"{gain.spread:.2f}"
            ratio = f"{gain.mean / gain.spread_of_arms:.1f}" if gain.spread_of_arms > 0 else ""
        by_seed = ", ".join(f"{value:.2f}" for value in arm.final)
        lines.append(
            f"| {arm.name} | {by_seed} | {arm.final.mean():.2f} | {spread} | {gained} "
            f"| {spread_of_gain} | {ratio} | {arm.seconds.mean():.0f} |"
        )
    return "\n".join(lines) + "\n"


def draw_curves(arms: Sequence[Arm], metric: str = "AP") -> Figure:
    """Draw the mean of each arm over the steps, in a band from the lowest to the highest seed.

    A control is drawn in the colour of its student, dashed.
    """
    students = list(dict.fromkeys(arm.name.removesuffix(CONTROL) for arm in arms))
    with rc_context(STYLE):
        figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
        axes = figure.add_subplot()
        for arm in arms:
            control = arm.name.endswith(CONTROL)
            colour = f"C{students.index(arm.name.removesuffix(CONTROL)) % 10}"
            label = f"{arm.name.removesuffix(CONTROL)}, no teacher" if control else arm.name
            mean, line = arm.values.mean(axis=0), "--" if control else "-"
            axes.plot(arm.steps, mean, line, color=colour, marker=".", linewidth=1.4, label=label)
            axes.fill_between(
                arm.steps, arm.values.min(axis=0), arm.values.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
        axes.set_xlabel("step")
        axes.set_ylabel(f"{metric} on the validation persons, percent")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True, color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        seeds = sorted({len(arm.seeds) for arm in arms})
        title = f"mean of {'/'.join(map(str, seeds))} seed(s); band: lowest to highest"
        axes.legend(frameon=False, title=title, loc="upper left", fontsize=8, title_fontsize=8)
    return figure
