"""A sealed document is accepted only as it was sealed."""

import pytest

from cache_tools.store.sealed_json import from_bytes, seal, to_bytes, unseal


def test_a_document_comes_back_without_its_seal_whatever_the_order_of_its_keys() -> None:
    document = {"rows": [0, 16], "clamped": {"below": 1, "above": 0}}
    stored = from_bytes(to_bytes(seal(document)), "entry")
    assert unseal(dict(reversed(stored.items())), "entry") == document


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": 2, "sha256": seal({"rows": 1})["sha256"]}, "does not match its sha256"),
        ({"rows": 1}, "expected a JSON object with its sha256"),
        ([1], "expected a JSON object with its sha256"),
    ],
)
def test_another_document_is_damage(changed: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^entry is damaged: .*{message}"):
        unseal(changed, "entry")


def test_what_is_not_json_is_damage() -> None:
    with pytest.raises(ValueError, match=r"^entry is damaged: not JSON"):
        from_bytes(b'{"rows"', "entry")
