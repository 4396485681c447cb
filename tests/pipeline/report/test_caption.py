"""The sentences under the table: what all rows share, and which rows differ."""

from pipeline.report.caption import Fact, caption_sentences, shared_facts
from pipeline.report.rows import Row
from tests.samples.report_rows import metrics


def test_the_caption_names_the_protocol_and_the_rows_that_differ(rows: list[Row]) -> None:
    text = " ".join(caption_sentences(rows, details=True))
    assert "6352 persons in 5000 images" in text
    assert "flip test on" in text
    assert "boxes of the ground truth" in text
    assert "input 256×192, but 384×288 (ViT)" in text
    assert "on NVIDIA H100; in bfloat16; batch 128" in text
    assert "from crops on the device, but uint8 crops in memory (ViT)" in text
    assert "channels_last on; torch.compile off" in text
    assert "by ONNX Runtime on a processor" in text
    assert "ONNX" not in " ".join(caption_sentences(rows))
    assert "ViT: counted and run with the experts folded" in text


def test_a_detectors_boxes_and_a_control_with_another_protocol_are_named() -> None:
    row = Row(
        name="x",
        role="student",
        metrics=metrics(0.5, 0.6, boxes={"source": "detector.json", "boxes": 12}),
        control=metrics(0.5, 0.6, boxes={"source": "detector.json", "boxes": 12}, flip=False),
    )
    text = " ".join(caption_sentences([row]))
    assert "boxes detector.json (12 boxes)" in text
    assert "flip test on, but off (x without teacher)" in text


def test_what_most_rows_share_comes_first() -> None:
    values = {"a": "1", "b": "2", "c": "2", "d": "3"}
    facts = [Fact(row, "batch", value) for row, value in values.items()] + [Fact("a", "in", "float32")]
    assert shared_facts(facts) == ["batch 2, but 1 (a), 3 (d)", "in float32"]
    assert shared_facts([]) == []
