"""The words under Table 1: the protocol that its numbers were measured under, and which rows had another."""

from collections.abc import Sequence

from pipeline.costs.cost_file import Cost
from pipeline.evaluation.metrics_file import EvaluationProtocol
from pipeline.report.rows import Row


def caption(rows: Sequence[Row], *, details: bool = False) -> list[str]:
    """Under what protocol the numbers were measured, one sentence a line; what differs is named with its rows.

    details: latency and ONNX are columns, too, as in the page and the CSV.
    """
    lines = ["; ".join(["AP and AR: COCO keypoints, percent", *shared(_protocols(rows))]) + "."]
    if any(row.control for row in rows):
        lines.append(
            "AP without teacher: the same network, data, steps and seed, trained on the ground truth alone; "
            "gain: what the teacher adds to it."
        )
    lines.append(
        "GMACs: multiply-accumulates. GFLOPs: the paper's counter, 2 a multiply-accumulate, 1 an element-wise step. "
        + "; ".join(["images/s: the network alone", *shared(_speeds(rows))])
        + (". ms/image: the same for a single image." if details else ".")
    )
    exports = {row.cost.onnxruntime.device for row in rows if row.cost and row.cost.onnxruntime}
    if exports and details:
        lines.append(
            f"ONNX: the student's exported file, float32, by ONNX Runtime on {', '.join(sorted(exports))}, same batch."
        )
    if folded := [row.name for row in rows if row.cost and row.cost.protocol.folded]:
        lines.append(
            f"{', '.join(folded)}: counted and run with the experts folded into one dense network, which gives the "
            "same heatmaps; the paper counts all of them."
        )
    if any(row.paper for row in rows):
        lines.append(
            "Paper: as printed in its Table 1, measured on an NVIDIA GH200, its boxes, flip test and decoder unstated."
        )
    if absent := [f"{row.name} ({', '.join(row.absent.values())})" for row in rows if row.absent]:
        lines.append(f"Files that do not exist: {'; '.join(absent)}.")
    return lines


def shared(facts: dict[str, dict[str, list[str]]]) -> list[str]:
    """`key: value` where all rows agree, else `key: value (names), other (names)`; facts are key -> value -> names."""
    told = []
    for key, values in facts.items():
        if len(values) == 1:
            told.append(f"{key} {next(iter(values))}")
        elif values:
            most = max(values, key=lambda v: len(values[v]))
            others = [f"{value} ({', '.join(names)})" for value, names in values.items() if value != most]
            told.append(f"{key} {most}, but {', '.join(others)}")
    return told


def _protocols(rows: Sequence[Row]) -> dict[str, dict[str, list[str]]]:
    facts: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, metrics in ((row.name, row.metrics), (f"{row.name} without teacher", row.control)):
            for key, value in (protocol_words(metrics.protocol) if metrics else {}).items():
                facts.setdefault(key, {}).setdefault(value, []).append(name)
    return facts


def protocol_words(protocol: EvaluationProtocol) -> dict[str, str]:
    """What of a metrics.json's protocol decides whether two numbers may be compared."""
    boxes, labels = protocol.boxes, protocol.annotations
    return {
        "data": f"{labels.file} ({labels.digest[:8]}), {protocol.persons} persons in {protocol.images} images",
        "boxes": "of the ground truth" if boxes.source == "gt" else f"{boxes.source} ({boxes.boxes} boxes)",
        "flip test": "on" if protocol.flip else "off",
        "decoder": protocol.decoder.partition(":")[0],
        "input": "×".join(map(str, protocol.input_size)),
        "evaluated in": f"{protocol.dtype} on {protocol.device}",
    }


def _speeds(rows: Sequence[Row]) -> dict[str, dict[str, list[str]]]:
    facts: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for key, value in (speed_words(row.cost) if row.cost else {}).items():
            facts.setdefault(key, {}).setdefault(value, []).append(row.name)
    return facts


def speed_words(cost: Cost) -> dict[str, str]:
    """What of a cost.json decides whether two speeds may be compared."""
    words = {"on": cost.device, "in": cost.dtype, "batch": str(cost.batch_size), "from": cost.protocol.measured}
    for key, value in (("channels_last", cost.protocol.channels_last), ("torch.compile", cost.protocol.compile)):
        if value is not None:
            words[key] = "on" if value else "off"
    return words
