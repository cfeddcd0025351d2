"""Which properties each component of card JSON 2.0 has, as the open platform's documents list them.

Left out on purpose: properties that the documents call historic (`value` and `action_type` of buttons, `mode` of
pictures) or show in an example only (`fields` of `div`), and components that no card of ours needs (tables, charts,
pickers, `checker`, `overflow`, `person_list`, `interactive_container`). Where the documents leave a doubt the stricter
reading is taken: every button and select outside of a form has behaviors, every button within one a form_action_type.
Components contain `elements`, `columns` and `header`, whose insides are judged where the card is walked.
"""

from tests.simulators.feishu.rules import (
    Rule,
    Shape,
    anything,
    boolean,
    by,
    each,
    integer,
    mapping,
    one_of,
    pattern,
    shape,
    string,
)

COLOURS = "blue|wathet|turquoise|green|lime|yellow|orange|red|carmine|violet|purple|indigo|grey|sunflower"
colour = pattern(rf"default|white|light_grey|neutral|({COLOURS})(-\d{{2,3}})?|rgba\([\d., ]+\)|cus-.+", "a colour")
element_id = pattern(r"[A-Za-z]\w{0,19}", "an element id: a letter, then at most 19 letters, digits or underscores")
_LENGTH = r"(0|\d{1,2}px)"
margin = pattern(r"(0|-?\d{1,2}px)( (0|-?\d{1,2}px)){0,3}", "a margin from -99px to 99px")
padding = pattern(rf"{_LENGTH}( {_LENGTH}){{0,3}}", "a padding from 0px to 99px")
spacing = pattern(rf"small|medium|large|extra_large|{_LENGTH}", "a spacing")
width = pattern(r"default|fill|[1-9]\d{2,}px", "a width: default, fill or from 100px")
radius = pattern(r"\d+px|(100|\d{1,2})%", "a radius")
text_size = pattern(r"heading(-[0-4])?|normal|notation|(x{1,4}-)?(large)|medium|small|x-small|cus-.+", "a size of text")
align = one_of("left", "center", "right")
vertical = one_of("top", "center", "bottom")
languages = mapping(string())

_TEXT: dict[str, Rule] = {"content": string(), "i18n_content": languages, "element_id": element_id}
_LOOKS: dict[str, Rule] = {"text_size": text_size, "text_align": align, "lines": integer(1, 100)}


def plain(most: int | None = None) -> Shape:
    """A text that is shown as it stands."""
    words = {**_TEXT, "content": string(most)}
    return Shape({"tag": one_of("plain_text"), **words}, frozenset(("tag", "content")))


_PLAIN = plain()
_MARKED = Shape({"tag": one_of("lark_md"), **_TEXT}, frozenset(("tag", "content")))
_LOOKING = {
    "plain_text": Shape(
        {"tag": anything, **_TEXT, **_LOOKS, "text_color": colour},
        frozenset(("tag", "content")),
    ),
    "lark_md": Shape({"tag": anything, **_TEXT, **_LOOKS}, frozenset(("tag", "content"))),
}
_TITLE = by("tag", plain_text=_PLAIN, lark_md=_MARKED)
icon = by(
    "tag",
    standard_icon=shape("tag", "token", tag=anything, token=string(least=1), color=colour, size=string()),
    custom_icon=shape("tag", "img_key", tag=anything, img_key=string(least=1), size=string()),
)
_CONFIRM = shape("title", "text", title=_PLAIN, text=_PLAIN)
_LINKS: dict[str, Rule] = {name: string() for name in ("url", "pc_url", "ios_url", "android_url")}
behaviour = by(
    "type",
    # The SDKs only read objects back, so a plain text is wrong although clients would send it.
    callback=shape("type", "value", type=anything, value=mapping(anything)),
    open_url=shape(
        "type",
        "default_url",
        type=anything,
        default_url=pattern(r"https?://.+", "a link"),
        pc_url=string(),
        ios_url=string(),
        android_url=string(),
    ),
)
_COMMON: dict[str, Rule] = {"tag": anything, "element_id": element_id, "margin": margin}
_LAYOUT: dict[str, Rule] = {
    "direction": one_of("vertical", "horizontal"),
    "padding": padding,
    "horizontal_spacing": spacing,
    "horizontal_align": align,
    "vertical_spacing": spacing,
    "vertical_align": vertical,
}
_USED: dict[str, Rule] = {
    "name": string(least=1),
    "required": boolean,
    "disabled": boolean,
    "behaviors": each(behaviour, least=1),
    "confirm": _CONFIRM,
}
_OPTION = shape("text", "value", text=_PLAIN, icon=icon, value=string(least=1))
_SELECT: dict[str, Rule] = {
    **_COMMON,
    **_USED,
    "type": one_of("default", "text"),
    "placeholder": plain(100),
    "width": width,
    "options": each(_OPTION),
}


def _component(*required: str, **properties: Rule) -> Shape:
    return Shape({**_COMMON, **properties}, frozenset(("tag", *required)))


COMPONENTS: dict[str, Shape] = {
    "div": _component(
        text=by("tag", **_LOOKING),
        icon=icon,
        width=pattern(r"fill|auto|\d{2,3}px", "a width: fill, auto or 16px to 999px"),
    ),
    "markdown": _component(
        "content", content=string(), i18n_content=languages, text_size=text_size, text_align=align, icon=icon
    ),
    "hr": _component(),
    "img": _component(
        "img_key",
        "alt",
        img_key=string(least=1),
        alt=_PLAIN,
        title=_PLAIN,
        corner_radius=radius,
        scale_type=one_of("crop_center", "crop_top", "fit_horizontal"),
        size=pattern(r"stretch|large|medium|small|tiny|\d{1,4}px \d{1,4}px", "a size of a picture"),
        transparent=boolean,
        preview=boolean,
    ),
    "img_combination": _component(
        "combination_mode",
        "img_list",
        combination_mode=one_of("double", "triple", "bisect", "trisect"),
        combination_transparent=boolean,
        corner_radius=radius,
        img_list=each(shape("img_key", img_key=string(least=1), transparent=boolean), least=1, most=9),
    ),
    "person": _component(
        "user_id",
        user_id=string(least=1),
        size=one_of("extra_small", "small", "medium", "large"),
        show_avatar=boolean,
        show_name=boolean,
        style=one_of("normal", "capsule"),
    ),
    "column_set": _component(
        "columns",
        columns=anything,
        horizontal_spacing=spacing,
        horizontal_align=align,
        flex_mode=one_of("none", "stretch", "flow", "bisect", "trisect"),
        background_style=colour,
        action=shape(multi_url=Shape(_LINKS)),
    ),
    "column": _component(
        elements=anything,
        background_style=colour,
        width=pattern(r"auto|weighted|\d{2,3}px", "a width: auto, weighted or 16px to 600px"),
        weight=integer(1, 5),
        action=shape(multi_url=Shape(_LINKS)),
        **_LAYOUT,
    ),
    "form": _component("name", "elements", name=string(least=1), elements=anything, **_LAYOUT),
    "collapsible_panel": _component(
        "header",
        header=shape(
            title=by(
                "tag", plain_text=_PLAIN, markdown=_component("content", content=string(), i18n_content=languages)
            ),
            background_color=colour,
            width=one_of("fill", "auto", "auto_when_fold"),
            vertical_align=vertical,
            padding=padding,
            position=one_of("top", "bottom"),
            icon=icon,
            icon_position=one_of("left", "right", "follow_text"),
            icon_expanded_angle=one_of(-180, -90, 90, 180),
        ),
        elements=anything,
        expanded=boolean,
        background_color=colour,
        border=shape(color=colour, corner_radius=radius),
        **_LAYOUT,
    ),
    "button": _component(
        type=one_of(
            "default",
            "primary",
            "danger",
            "text",
            "primary_text",
            "danger_text",
            "primary_filled",
            "danger_filled",
            "laser",
        ),
        size=one_of("tiny", "small", "medium", "large"),
        width=width,
        text=plain(100),
        icon=icon,
        hover_tips=_PLAIN,
        disabled_tips=_PLAIN,
        form_action_type=one_of("submit", "reset"),
        **{name: rule for name, rule in _USED.items() if name != "required"},
    ),
    "select_static": Shape(
        {**_SELECT, "initial_option": string(), "initial_index": integer(0, 100)}, frozenset(("tag", "options"))
    ),
    "multi_select_static": Shape({**_SELECT, "selected_values": each(string())}, frozenset(("tag", "options"))),
    "input": _component(
        placeholder=plain(100),
        default_value=string(),
        width=width,
        max_length=integer(1, 1000),
        input_type=one_of("text", "multiline_text", "password"),
        rows=integer(1, 100),
        auto_resize=boolean,
        max_rows=integer(1, 100),
        show_icon=boolean,
        label=_PLAIN,
        label_position=one_of("top", "left"),
        disabled_tips=_PLAIN,
        **_USED,
    ),
}
INTERACTIVE = frozenset(("button", "select_static", "multi_select_static", "input"))

_TEMPLATES = (
    "blue",
    "wathet",
    "turquoise",
    "green",
    "yellow",
    "orange",
    "red",
    "carmine",
    "violet",
    "purple",
    "indigo",
)
HEADER = shape(
    "title",
    title=_TITLE,
    subtitle=_TITLE,
    template=one_of(*_TEMPLATES, "grey", "default"),
    icon=icon,
    padding=padding,
    text_tag_list=each(
        shape("tag", "text", tag=one_of("text_tag"), element_id=element_id, text=_PLAIN, color=colour), most=3
    ),
    i18n_text_tag_list=mapping(anything),
)
CONFIG = shape(
    streaming_mode=boolean,
    streaming_config=anything,
    summary=shape(content=string(), i18n_content=languages),
    locales=each(string()),
    enable_forward=boolean,
    update_multi=one_of(True),
    width_mode=one_of("default", "compact", "fill"),
    use_custom_translation=boolean,
    enable_forward_interaction=boolean,
    style=shape(
        text_size=mapping(shape(default=text_size, pc=text_size, mobile=text_size)),
        color=mapping(shape(light_mode=colour, dark_mode=colour)),
    ),
)
CARD = shape(
    "schema",
    schema=one_of("2.0"),
    config=CONFIG,
    card_link=Shape(_LINKS),
    header=HEADER,
    body=Shape({"elements": anything, **_LAYOUT}, frozenset(("elements",))),
)
