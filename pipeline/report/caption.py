"""The sentences under Table 1: the protocol that its numbers were measured under, and which rows had another."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import EvaluationProtocol
from pipeline.report.rows import Row


@dataclass(frozen=True)
class Fact:
    """One condition under which the numbers of a row were measured, such as "flip test", "on"."""

    row: str
    key: str
    value: str


def caption_sentences(rows: Sequence[Row], *, details: bool = False) -> list[str]:
    """Return the protocol of the numbers in sentences; a condition that differs is named with its rows.

    details: latency and ONNX are columns, too, as in the page and the CSV.
    """
    sentences = ["; ".join(["AP and AR: COCO keypoints, percent", *shared_facts(_evaluation_facts(rows))]) + "."]
    if any(row.control for row in rows):
        sentences.append(
            "AP without teacher: the same network, data, steps and seed, trained only on the ground truth; "
            "gain: what the teacher adds to it."
        )
    if any(row.repeats for row in rows):
        students = [row for row in rows if row.role == "student"]
        counts = [sum(metrics is not None for metrics, _ in row.seeds) for row in students]
        seeds = [Fact(row.name, "seeds", str(count)) for row, count in zip(students, counts, strict=True)]
        sentences.append(f"AP, AR and gain of students: means; {shared_facts(seeds)[0]}.")
    sentences.append(
        "GMACs: multiply-accumulates. GFLOPs: the paper's counter, 2 a multiply-accumulate, 1 an element-wise step. "
        + "; ".join(["images/s: the network only", *shared_facts(_speed_facts(rows))])
        + (". ms/image: the same for a single image." if details else ".")
    )
    devices = {row.cost.onnxruntime.device for row in rows if row.cost and row.cost.onnxruntime}
    if devices and details:
        sentences.append(
            f"ONNX: the student's exported file, float32, by ONNX Runtime on {', '.join(sorted(devices))}, same batch."
        )
    if folded := [row.name for row in rows if row.cost and row.cost.protocol.folded]:
        sentences.append(
            f"{', '.join(folded)}: counted and run with the experts folded into one dense network, which gives the "
            "same heatmaps; the paper counts all of them."
        )
    if any(row.paper for row in rows):
        sentences.append(
            "Paper: as printed in its Table 1, measured on an NVIDIA GH200, its boxes, flip test and decoder unstated."
        )
    if absent := [f"{row.name} ({', '.join(row.absent.values())})" for row in rows if row.absent]:
        sentences.append(f"Files that do not exist: {'; '.join(absent)}.")
    return sentences


def shared_facts(facts: Sequence[Fact]) -> list[str]:
    """Return `key value` for each key on which all rows agree, else `key value, but other (rows with it)`."""
    phrases = []
    for key in dict.fromkeys(fact.key for fact in facts):
        of_key = [fact for fact in facts if fact.key == key]
        values = Counter(fact.value for fact in of_key)
        usual = max(values, key=values.__getitem__)
        others = []
        for value in values:
            if value != usual:
                others.append(f"{value} ({', '.join(fact.row for fact in of_key if fact.value == value)})")
        phrases.append(f"{key} {usual}, but {', '.join(others)}" if others else f"{key} {usual}")
    return phrases


def _evaluation_facts(rows: Sequence[Row]) -> list[Fact]:
    facts: list[Fact] = []
    for row in rows:
        for number, (metrics, control) in enumerate(row.seeds, start=1):
            name = row.name if number == 1 else f"{row.name}, seed {number}"
            if metrics:
                facts += evaluation_facts(name, metrics.protocol)
            if control:
                facts += evaluation_facts(f"{name} without teacher", control.protocol)
    return facts


def evaluation_facts(name: str, protocol: EvaluationProtocol) -> Iterator[Fact]:
    """Yield what decides whether two accuracies may be compared."""
    boxes, labels = protocol.boxes, protocol.annotations
    persons = f"{protocol.persons} persons in {protocol.images} images"
    detected = f"{boxes.source} ({boxes.boxes} boxes)"
    yield Fact(name, "data", f"{labels.file} ({labels.digest[:8]}), {persons}")
    yield Fact(name, "boxes", "of the ground truth" if boxes.source == "gt" else detected)
    yield Fact(name, "flip test", "on" if protocol.flip else "off")
    yield Fact(name, "decoder", protocol.decoder.partition(":")[0])
    yield Fact(name, "input", "×".join(map(str, protocol.input_size)))
    yield Fact(name, "evaluated in", f"{protocol.dtype} on {protocol.device}")


def _speed_facts(rows: Sequence[Row]) -> list[Fact]:
    return [fact for row in rows if row.cost for fact in speed_facts(row.name, row.cost)]


def speed_facts(name: str, cost: Cost) -> Iterator[Fact]:
    """Yield what decides whether two speeds may be compared."""
    yield Fact(name, "on", cost.device)
    yield Fact(name, "in", cost.dtype)
    yield Fact(name, "batch", str(cost.batch_size))
    yield Fact(name, "from", cost.protocol.measured)
    if cost.protocol.channels_last is not None:
        yield Fact(name, "channels_last", "on" if cost.protocol.channels_last else "off")
    if cost.protocol.compile is not None:
        yield Fact(name, "torch.compile", "on" if cost.protocol.compile else "off")
