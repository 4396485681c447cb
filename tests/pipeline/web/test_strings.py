"""The sentences of the page: every key exists, translations say the same, English is what Python says."""

import json
import re

import pytest

from pipeline.hka.angles import NOTICE
from pipeline.hka.quality import FLAG_MEANINGS
from pipeline.web.page import SOURCE

STRINGS = {code: json.loads((SOURCE / f"strings/{code}.json").read_text("utf-8")) for code in ("en", "fr", "sw")}
#: keys that only a language which is a draft has
DRAFT = {"draft"}
USED = re.compile(r'\bt\("(\w+)"|\bsay\("(\w+)"|\bfail\("(\w+)"|PhotoError\("(\w+)"|data-t(?:-label)?="(\w+)"')


def placeholders(sentence: str) -> list[str]:
    """Return the {names} of a sentence."""
    return sorted(re.findall(r"\{\w+\}", sentence))


def test_every_key_that_is_used_exists() -> None:
    sources = [path.read_text("utf-8") for path in (SOURCE / "js").iterdir()] + [
        (SOURCE / "index.html").read_text("utf-8")
    ]
    used = {key for keys in USED.findall("".join(sources)) for key in keys if key}
    assert len(used) > 50
    assert used - STRINGS["en"].keys() == set()


@pytest.mark.parametrize("language", ["fr", "sw"])
def test_translations_have_the_keys_and_the_values_of_english(language: str) -> None:
    words = STRINGS[language]
    assert words.keys() - STRINGS["en"].keys() - DRAFT == set()
    for key in words.keys() - DRAFT:
        assert placeholders(words[key]) == placeholders(STRINGS["en"][key]), key


def test_french_is_complete_and_swahili_is_marked_as_a_draft() -> None:
    assert STRINGS["fr"].keys() == STRINGS["en"].keys()
    assert "draft" in STRINGS["sw"]


def test_every_flag_and_the_notice_have_a_sentence() -> None:
    assert STRINGS["en"]["notice"] == NOTICE
    for flag in FLAG_MEANINGS:
        assert f"flag_{flag}" in STRINGS["en"]


def test_html_says_in_english_what_the_strings_say() -> None:
    """What is shown before the script runs, and where it cannot."""
    shown = re.findall(r'data-t="(\w+)"[^>]*>([^<]+)<', (SOURCE / "index.html").read_text("utf-8"))
    assert len(shown) > 20
    for key, text in shown:
        assert text == STRINGS["en"][key], key
