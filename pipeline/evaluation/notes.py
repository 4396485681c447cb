"""Remarks of an evaluation on its labels and its joints, without which its numbers are read wrongly."""

from pipeline.evaluation.metrics_file import EvaluationProtocol
from pipeline.persons.boxes import BoxProtocol
from pipeline.persons.coco_labels import CocoLabels

# joints named in a note
NAMES_SHOWN = 10


def label_notes(labels: CocoLabels) -> list[str]:
    """Return what the annotation file has otherwise than it states, and what is left out of it."""
    notes = [f"{labels.path.name}: {remark}" for remark in labels.file.persons.remarks]
    if labels.file.left_out():
        notes.append(f"{labels.path.name}: left out {labels.file.left_out_text()}")
    return notes


def box_notes(boxes: BoxProtocol) -> list[str]:
    """Return how many boxes of a file are left out, by reason."""
    counts = dict(boxes.left_out or {})
    if boxes.boxes_in_other_images:
        counts["in other images"] = boxes.boxes_in_other_images
    if not counts:
        return []
    return [f"{boxes.source}: left out {', '.join(f'{count} {reason}' for reason, count in counts.items())}"]


def joint_notes(protocol: EvaluationProtocol) -> list[str]:
    """Return which OKS sigmas are assumed, and which joints the network does not know."""
    notes = []
    assumed = [name for name, sigma in protocol.oks_sigmas.items() if sigma.source == "assumed"]
    if assumed:
        value = protocol.oks_sigmas[assumed[0]].sigma
        notes.append(
            f"OKS sigmas of {_listed(assumed)} are assumed ({value:g}): AP and AR compare only with others of the same "
            "sigmas; PCK and NME need none"
        )
    unknown = protocol.unknown_joints
    if unknown:
        total = len(protocol.oks_sigmas) + (len(unknown) if protocol.joints == "common" else 0)
        counted = "only the others are scored" if protocol.joints == "common" else "they count as missed"
        notes.append(
            f"{protocol.predictor} does not know {len(unknown)} of {total} joints ({_listed(unknown)}): {counted}"
        )
    return notes


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
