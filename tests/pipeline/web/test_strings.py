"""The sentences of the page: every key exists, translations say the same, English is what Python says."""

import json
import re

import numpy as np
import pytest

from pipeline.hka.agreement import Calibration
from pipeline.hka.angles import NOTICE
from pipeline.hka.joints import Joints
from pipeline.hka.quality import FLAG_MEANINGS, Limits
from pipeline.hka.table import leg_rows
from pipeline.web.page import SOURCE
from tests.samples.standing_legs import standing_joints

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


def test_every_reason_is_a_sentence_of_the_command() -> None:
    """A leg of each kind: all that `kdcache hka measure` says is in the page's English, and the page says no more."""
    patterns = {
        key: re.sub(r"\\\{\w+\\\}", ".+", re.escape(sentence))
        for key, sentence in STRINGS["en"].items()
        if key.startswith("reason_")
    }
    said = [reason for text in command_reasons() for reason in text.split("; ")]
    matched = {key for key, pattern in patterns.items() for reason in said if re.fullmatch(pattern, reason)}
    assert [reason for reason in said if not any(re.fullmatch(p, reason) for p in patterns.values())] == []
    assert patterns.keys() - matched == set()


def command_reasons() -> list[str]:
    """Return reasons for every flag of the command."""
    person = standing_joints(3, 0)
    seen = np.full(17, 0.9)
    blind = np.where(np.isin(np.arange(17), [5, 13]), 0.1, seen)
    folded, narrow = person.copy(), person * [0.2, 1]
    folded[[13, 15]] = folded[11] + [[20, 4], [20, 60]]
    leaning = person.copy()
    leaning[[5, 6]] = leaning[[11, 12]] + [[200, 10], [200, 40]]
    people = [(person, seen), (person, blind), (folded, seen), (narrow, seen), (leaning, seen), (person * 0.02, seen)]
    joints = Joints(
        xy=np.stack([xy for xy, _ in people]),
        score=np.stack([score for _, score in people]),
        covariance=np.tile(900 * np.eye(2), (len(people), 17, 1, 1)),
    )
    line = Calibration(
        intercept=0, slope=1, residual_rms=1, uncorrected_rms=2, legs_fitted=10, legs_held_out=10, range=(50, 60)
    )
    rows = leg_rows(["a.jpg"] * len(people), joints, calibration=line)
    flat = person.copy()
    flat[[11, 12]] = person[11]
    alike = Joints(xy=flat[None], score=seen[None], covariance=np.zeros((1, 17, 2, 2)))
    # limits that flag nothing, so that it is the sign of the angle that is missing
    loose = Limits(hips_over_leg=0, thigh_over_shank=(0, 99), shorter_over_longer_leg=0, trunk_to_leg=180)
    rows += leg_rows(["b.jpg"], alike, limits=loose)
    return [reason for row in rows for reason in row.flags.values()]


def test_html_says_in_english_what_the_strings_say() -> None:
    """What is shown before the script runs, and where it cannot."""
    shown = re.findall(r'data-t="(\w+)"[^>]*>([^<]+)<', (SOURCE / "index.html").read_text("utf-8"))
    assert len(shown) > 20
    for key, text in shown:
        assert text == STRINGS["en"][key], key
