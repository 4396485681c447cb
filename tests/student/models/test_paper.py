"""Table 1 of the paper as read from its file."""

from student.models.paper import paper_row, paper_rows


def test_the_paper_has_four_teachers_and_fourteen_students() -> None:
    assert [row.role for row in paper_rows()] == ["teacher"] * 4 + ["student"] * 14


def test_a_row_is_found_in_any_spelling_of_its_name() -> None:
    b0, huge = paper_row("efficientnet-b0"), paper_row("vitpose_h")
    assert b0 is not None
    assert huge is not None
    assert (b0.name, b0.library, b0.model, b0.ap, b0.images_per_second) == (
        "Efficientnet_B0", "timm", "efficientnet_b0", 70.5, 6850,
    )  # fmt: skip
    assert (huge.params_m, huge.model) == (899.4, "usyd-community/vitpose-plus-huge")
    assert paper_row("timm:resnet50") is None
