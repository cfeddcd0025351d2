"""What a script is told about the outcome of one asking."""

import pytest

from bot.chat import Tone
from bot.ops.sending import Exit, exit_code


@pytest.mark.parametrize(
    ("tone", "state", "code"),
    [
        (Tone.ANSWER, "settled", Exit.MADE),
        (Tone.ANSWER, "", Exit.MADE),
        (Tone.ANSWER, "review", Exit.QUESTION),
        (Tone.REFUSAL, "", Exit.REFUSED),
        (Tone.REFUSAL, "refused", Exit.REFUSED),
        (Tone.REFUSAL, "failed", Exit.FAILED),
        (Tone.REFUSAL, "unknown", Exit.FAILED),
        (Tone.ANSWER, "cancelled", Exit.FAILED),
        (Tone.QUESTION, "asked", Exit.QUESTION),
    ],
)
def test_an_outcome_has_its_code(tone: Tone, state: str, code: Exit) -> None:
    assert exit_code({"tone": str(tone), "state": state}) == code


def test_the_codes_are_those_that_are_promised() -> None:
    assert [(code.name, int(code)) for code in Exit] == [("MADE", 0), ("FAILED", 1), ("REFUSED", 2), ("QUESTION", 3)]
