"""The fake's judge of cards: what it lets pass and what it names."""

from typing import Any

import pytest

from tests.simulators.feishu.cards import problems, refusals

Json = dict[str, Any]
CALLBACK = [{"type": "callback", "value": {"do": "again"}}]


def plain(words: str) -> Json:
    return {"tag": "plain_text", "content": words}


def button(words: str = "Again", **more: Any) -> Json:
    return {"tag": "button", "text": plain(words), "behaviors": CALLBACK, **more}


def form(*elements: Json, name: str = "edit") -> Json:
    submit = {"tag": "button", "text": plain("Draw"), "name": "draw", "form_action_type": "submit"}
    return {"tag": "form", "name": name, "elements": [*elements, submit]}


def card(*elements: Json, **more: Any) -> Json:
    return {"schema": "2.0", "config": {"update_multi": True}, "body": {"elements": [*elements]}, **more}


def everything() -> Json:
    """A card with each component that the judge knows."""
    column: Json = {"tag": "column", "width": "weighted", "weight": 1, "vertical_align": "top"}
    options = [{"text": plain("4.5"), "value": "a"}, {"text": plain("5"), "value": "b"}]
    select = {"tag": "select_static", "placeholder": plain("Which?"), "options": options}
    picture = {"tag": "img", "img_key": "img_1", "alt": plain(""), "scale_type": "fit_horizontal", "preview": True}
    return card(
        {"tag": "div", "text": {**plain("a fox"), "text_size": "notation", "text_color": "grey", "lines": 3}},
        {"tag": "markdown", "content": "**bold**", "text_align": "left", "margin": "0px 0px 4px 0px"},
        {"tag": "hr", "element_id": "line_1"},
        picture,
        {"tag": "img_combination", "combination_mode": "bisect", "img_list": [{"img_key": "img_1"}]},
        {"tag": "person", "user_id": "ou_1", "show_name": True, "size": "small"},
        {"tag": "column_set", "flex_mode": "flow", "columns": [{**column, "elements": [button()]}]},
        {**select, "behaviors": CALLBACK, "initial_option": "5"},
        form(
            {"tag": "input", "name": "words", "input_type": "multiline_text", "max_length": 1000},
            {**select, "name": "m"},
        ),
        {"tag": "collapsible_panel", "header": {"title": plain("Details")}, "elements": [{"tag": "hr"}]},
        header={
            "title": plain("Drawn"),
            "template": "green",
            "text_tag_list": [{"tag": "text_tag", "text": plain("4K"), "color": "blue"}],
        },
    )


def test_a_card_with_each_component_passes() -> None:
    assert problems(everything()) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (card(button(value={"do": "again"})), "elements[0].value: unknown property"),
        (card(elements=[]), "card.elements: unknown property"),
        (card({"tag": "action", "actions": []}), "'action' is no component here"),
        (card({"tag": "note", "elements": []}), "'note' is no component here"),
        (card({"tag": "column", "elements": []}), "'column' is no component here"),
        ({"body": {"elements": []}}, "card.schema: is missing"),
        (card() | {"config": {"update_multi": False}}, "card.config.update_multi"),
        (card({"tag": "img", "img_key": "img_1"}), "alt: is missing"),
        (card({"tag": "button", "text": plain("Again")}), "behaviors: is missing"),
        (card(button("x" * 101)), "longer than 100 characters"),
        (card(button(behaviors=[{"type": "callback", "value": "again"}])), "value: an object belongs here"),
        (card(button(form_action_type="submit")), "form_action_type: only within a form"),
        (
            card({"tag": "form", "name": "edit", "elements": [{"tag": "input", "name": "w"}]}),
            "without a button that submits",
        ),
        (card(form({"tag": "input"})), "name: is missing"),
        (card(form(button("Other", name="other"))), "form_action_type: is missing within a form"),
        (card({"tag": "collapsible_panel", "header": {}, "elements": [form()]}), "only stand at the card's root"),
        (card(form(), form()), "the name 'edit' stands twice"),
        (card({"tag": "hr", "element_id": "a"}, {"tag": "hr", "element_id": "a"}), "element_id 'a' stands twice"),
        (card({"tag": "hr", "element_id": "1st"}), "is not an element id"),
        (card(form({"tag": "input", "name": "w", "default_value": "abc", "max_length": 2})), "longer than max_length"),
        (card({"tag": "div", "text": plain("x" * 30 * 1024)}), "30720 are the most"),
        (card(*[{"tag": "hr"}] * 201), "201 elements"),
        (card({"tag": "markdown", "content": "hi <at id=all></at>"}), "a mention in"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(wrong: Json, named: str) -> None:
    found = problems(wrong)

    assert [one for one in found if named in one], found


def test_two_options_with_one_value_are_named() -> None:
    options = [{"text": plain(words), "value": "same"} for words in ("one", "two")]

    found = problems(card({"tag": "select_static", "behaviors": CALLBACK, "options": options}))

    assert found == ["card.body.elements[0].options: the value 'same' stands twice"]


def test_what_looks_like_a_mention_in_plain_text_is_only_text() -> None:
    assert problems(card({"tag": "div", "text": plain("<at id=all></at>")})) == []


def test_a_mention_is_no_reason_for_the_platform_to_refuse() -> None:
    assert refusals(card({"tag": "markdown", "content": "<at id=all></at>"})) == []


def test_what_a_callback_carries_is_not_judged() -> None:
    assert problems(card(button(behaviors=[{"type": "callback", "value": {"tag": "img", "element_id": "!"}}]))) == []
