"""What can be done with a card: presses that carry ids alone, one form, and no two names in it alike."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.feishu.outbound import card
from bot.chat import Button, Reply, Tone
from bot.i18n import text, verbatim
from tests.adapters.feishu.card_samples import (
    AGAIN,
    CANCEL,
    DECLINE,
    DELETE,
    EDIT,
    GENERATION,
    GO,
    MODELS,
    RESULT,
    VARY,
    picture,
    result,
    shown,
)
from tests.simulators.feishu.cards import problems
from tests.simulators.feishu.reading import label, walk


def pressable(node: Any) -> dict[str, str]:
    """What each button sends, by its label."""
    found = [part for part in walk(node) if part.get("tag") == "button"]
    return {label(one): one["behaviors"][0]["value"]["press"] for one in found}


def forms(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in drawn["body"]["elements"] if one["tag"] == "form"]


def fields(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in walk(form["elements"]) if part.get("tag") in ("input", "select_static")}


def test_one_picture_needs_no_choice() -> None:
    drawn = card(result(1, pictures=(picture(2),)), shown(picture(2)), models=MODELS)
    (form,) = forms(drawn)

    assert pressable(drawn) == {
        "Again": f"again:{GENERATION}:0",
        "Vary": f"vary:{GENERATION}:2",
        "Edit": f"edit:{GENERATION}:2",
        "4K": f"upscale:{GENERATION}:2",
        "Details": f"details:{GENERATION}:0",
        "Delete": f"delete:{GENERATION}:0",
    }
    assert set(fields(form)) == {"prompt", "model"}
    assert list(pressable(form)) == ["Edit"]


def test_several_pictures_are_chosen_from_once_for_everything_that_is_done_with_one() -> None:
    drawn = card(result(3), shown(*(picture(index) for index in range(3))), models=MODELS)
    (form,) = forms(drawn)
    which = fields(form)["picture"]

    assert set(fields(form)) == {"picture", "prompt", "model"}
    assert list(pressable(form)) == ["Vary", "4K", "Edit"]
    assert [(one["text"]["content"], one["value"]) for one in which["options"]] == [
        ("Picture 1", "0"),
        ("Picture 2", "1"),
        ("Picture 3", "2"),
    ]
    assert which["initial_index"] == 1
    assert set(pressable(drawn)) - set(pressable(form)) == {"Again", "Details", "Delete"}


def test_every_button_of_the_form_sends_it() -> None:
    (form,) = forms(card(result(3), shown(picture(0), picture(1))))
    found = [part for part in walk(form) if part.get("tag") == "button"]

    assert {one["form_action_type"] for one in found} == {"submit"}
    assert len({one["name"] for one in found}) == len(found) == 3


def test_words_are_needed_where_the_form_sends_nothing_else() -> None:
    (alone,) = forms(card(result(1), shown(picture(0))))
    (shared,) = forms(card(result(2), shown(picture(0), picture(1))))

    assert fields(alone)["prompt"]["required"] is True
    assert fields(shared)["prompt"]["required"] is False  # or Vary would wait for words
    assert fields(alone)["prompt"]["placeholder"]["content"] == "What should change?"


def test_only_an_edit_among_several_pictures_asks_which_one_too() -> None:
    (form,) = forms(card(result(2, buttons=(AGAIN, EDIT)), shown(picture(0), picture(1))))

    assert set(fields(form)) == {"picture", "prompt"}
    assert fields(form)["prompt"]["required"] is True


def test_layers_are_told_apart_by_their_names() -> None:
    pictures = (picture(0, alt="sky"), picture(1, alt="a\nfox"))
    (form,) = forms(card(result(2, pictures=pictures), shown(*pictures)))

    assert [one["text"]["content"] for one in fields(form)["picture"]["options"]] == [
        "Picture 1 · sky",
        "Picture 2 · a fox",
    ]


def test_a_further_card_has_what_is_done_with_its_own_pictures_and_nothing_else() -> None:
    drawn = card(result(11), shown(picture(9), picture(10), first=10), models=MODELS, further=True)

    assert drawn["header"]["title"]["content"] == "Pictures 10 to 11 of 11"
    assert pressable(drawn) == {
        "Vary": f"vary:{GENERATION}:9",
        "4K": f"upscale:{GENERATION}:9",
        "Edit": f"edit:{GENERATION}:9",
    }
    assert [one["value"] for one in fields(forms(drawn)[0])["picture"]["options"]] == ["9", "10"]


def test_what_cannot_be_undone_is_asked_about_before_it_is_sent() -> None:
    drawn = card(result(1), shown(picture(0)))
    asking = {label(part): part["confirm"] for part in walk(drawn) if "confirm" in part}

    assert list(asking) == ["Delete"]
    assert asking["Delete"]["text"]["content"] == "This cannot be undone."


def test_the_answer_to_a_question_that_is_meant_stands_out() -> None:
    question = Reply(text=text("Shall I?"), tone=Tone.QUESTION, buttons=(GO, DECLINE))
    kinds = {label(part): part["type"] for part in walk(card(question)) if part.get("tag") == "button"}

    assert kinds == {"Go": "primary_filled", "Not now": "default"}


def test_a_question_about_what_cannot_be_undone_is_asked_once() -> None:
    question = Reply(text=text("Shall I?"), tone=Tone.QUESTION, buttons=(DELETE, DECLINE))
    both = Reply(text=text("May Li show this?"), tone=Tone.QUESTION, buttons=(GO, DELETE))

    assert [part for part in walk(card(question)) if "confirm" in part] == []
    assert [label(part) for part in walk(card(both)) if "confirm" in part] == ["Delete"]
    kinds = {label(part): part["type"] for part in walk(card(question)) if part.get("tag") == "button"}
    assert kinds == {"Delete": "danger", "Not now": "default"}


def test_progress_with_pictures_can_only_be_cancelled() -> None:
    reply = result(2, tone=Tone.PROGRESS, buttons=(CANCEL,))

    assert pressable(card(reply, shown(picture(0), picture(1)))) == {"Cancel": f"cancel:{GENERATION}:0"}


def test_buttons_of_several_generations_stay_apart() -> None:
    other = replace(VARY, generation="other", label=verbatim("Vary the other"))
    drawn = card(result(2, buttons=(VARY, other, DELETE)), shown(picture(0), picture(1)))
    (form,) = forms(drawn)

    assert list(pressable(form)) == ["Vary"]
    assert pressable(drawn)["Vary the other"] == "vary:other:0"


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_command_that_asks_for_words_does_not_break_the_card(count: int) -> None:
    second = Button(command="blend", generation=GENERATION, label=text("Blend"), asks=text("How?"))
    pictures = [picture(index) for index in range(count)]
    drawn = card(result(count, buttons=(*RESULT, second)), shown(*pictures))

    assert problems(drawn) == []
    assert pressable(drawn)["Blend"] == f"blend:{GENERATION}:0"


def test_words_for_another_generation_are_not_asked_for_beside_the_choice_of_this_one() -> None:
    other = replace(EDIT, generation="other", label=verbatim("Edit the other"))
    (form,) = forms(card(result(2, buttons=(other, VARY, EDIT)), shown(picture(0), picture(1))))

    assert list(pressable(form)) == ["Vary", "Edit"]
