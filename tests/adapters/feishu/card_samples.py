"""Replies as the core makes them, in every state of a generation, with the pictures that their cards show."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.feishu.outbound import Aside, Shown
from bot.chat import AccountLine, Button, Picture, Reply, Tone
from bot.i18n import Link, Text, plural, text, verbatim

GENERATION = "k3f9w2ab"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODELS = ("seedream-4.5", "seedream-4.0")

AGAIN = Button(command="again", generation=GENERATION, label=text("Again"))
VARY = Button(command="vary", generation=GENERATION, label=text("Vary"), picks=True)
EDIT = Button(command="edit", generation=GENERATION, label=text("Edit"), asks=text("What should change?"), picks=True)
LARGER = Button(command="upscale", generation=GENERATION, label=verbatim("4K"), picks=True)
DETAILS = Button(command="details", generation=GENERATION, label=text("Details"))
DELETE = Button(command="delete", generation=GENERATION, label=text("Delete"), danger=True)
CANCEL = Button(command="cancel", generation=GENERATION, label=text("Cancel"))
GO = Button(command="go", generation=GENERATION, label=text("Go"))
DECLINE = Button(command="decline", generation=GENERATION, label=text("Not now"))
RESULT = (AGAIN, VARY, EDIT, LARGER, DETAILS, DELETE)
HANDLE = verbatim(f"seedream-4.5 · 2048×2048 · 0.04 USD · 6.2 s · {GENERATION}")
ORIGINALS = (Link("k3f9w2ab:0", "https://bot.example/p/k3f9w2ab:0?until=1&sig=a_b*c"), Link("[*]", "https://a.example"))


def picture(index: int, *, alt: str = "a fox in the snow", width: int = 24, height: int = 16) -> Picture:
    return Picture(
        generation=GENERATION,
        index=index,
        blob=f"{index:064}",
        media_type="image/png",
        width=width,
        height=height,
        size=100,
        alt=alt,
    )


def shown(*pictures: Picture, first: int = 1) -> list[Shown]:
    return [Shown(picture=one, key=f"img_v3_{one.index}", number=number) for number, one in enumerate(pictures, first)]


def result(count: int, **more: Any) -> Reply:
    fields: dict[str, Any] = {
        "text": text("Drawn for {name}", name="ann_*"),
        "prompt": "a *fox* in the snow\n# <at id=all></at> https://bad.example",
        "notes": (HANDLE,),
        "pictures": tuple(picture(index) for index in range(count)),
        "buttons": RESULT,
        "generation": GENERATION,
        "state": "settled",
    }
    return Reply(**(fields | more))


def drawn_with(count: int, *, first: int = 0) -> dict[str, Any]:
    return {"shown": shown(*(picture(index) for index in range(first, count)), first=first + 1), "models": MODELS}


def account(unit: str, window: str, **more: Any) -> AccountLine:
    fields: dict[str, Any] = {"used": 3, "held": 1, "limit": 20, "resets": None, "name": verbatim("ann")}
    return AccountLine(unit=unit, window=window, **(fields | more))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    reply: Reply
    more: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {
    "in_line": Case(
        reply=Reply(
            text=text("In line: number {place}.", place=3), tone=Tone.PROGRESS, prompt="a fox", buttons=(CANCEL,)
        )
    ),
    "series_filling_up": Case(
        reply=Reply(
            text=text("Drawing: {made} of {wanted} done.", made=2, wanted=3),
            tone=Tone.PROGRESS,
            prompt="a fox through the seasons",
            notes=(text("Started {when}", when=NOON),),
            pictures=(picture(0), picture(1)),
            buttons=(CANCEL,),
        ),
        more={"shown": shown(picture(0), picture(1)), "zone": "Asia/Shanghai"},
    ),
    "one_picture": Case(reply=result(1), more=drawn_with(1)),
    "four_pictures": Case(reply=result(4), more=drawn_with(4)),
    "further_pictures": Case(reply=result(11), more={**drawn_with(11, first=9), "further": True}),
    "layers": Case(
        reply=result(2, pictures=(picture(0, alt="sky"), picture(1, alt="fox")), buttons=(AGAIN, EDIT, DELETE)),
        more={"shown": shown(picture(0, alt="sky"), picture(1, alt="fox"))},
    ),
    "made_to_fit": Case(
        reply=result(1),
        more={
            **drawn_with(1),
            "asides": [
                Aside(words=text("The original is too large to be posted here; this is a JPEG of it in full size.")),
                Aside(words=text("The original"), about="1: ", link="https://bot.example/pictures/0"),
            ],
        },
    ),
    "ended_badly": Case(
        reply=Reply(
            text=text("That did not work. Nothing was charged."),
            tone=Tone.REFUSAL,
            prompt="a fox",
            notes=(HANDLE,),
            buttons=(AGAIN,),
        )
    ),
    "question": Case(
        reply=Reply(
            text=plural(
                "This takes {count} picture, for at most {price}. Shall I?",
                "This takes up to {count} pictures, for at most {price}. Shall I?",
                8,
                price="0.32 USD",
            ),
            tone=Tone.QUESTION,
            prompt="eight foxes",
            buttons=(GO, DECLINE),
            accounts=(account("images", "day"),),
        )
    ),
    "refusal": Case(
        reply=Reply(
            text=text(
                "{account}: {left} left of {limit} {window}, and this needs {wanted}; {who} can give more."
                " It starts anew at {resets}.",
                account="ann",
                who="Dora",
                left=0,
                limit=20,
                window="",
                wanted=1,
                resets=NOON,
            ),
            tone=Tone.REFUSAL,
            private=True,
        )
    ),
    "quota": Case(
        reply=Reply(
            text=text("What you may still use, and what is used:"),
            accounts=(
                account("images", "day", resets=NOON),
                account("usd", "month", used=500_000, held=0, limit=2_000_000),
                account("usd", "total", limit=None),
            ),
            private=True,
        )
    ),
    "details": Case(
        reply=Reply(
            text=text("Details of {id}", id=GENERATION),
            prompt="a fox\n" * 30,
            rows=(
                (text("Model"), verbatim("seedream-4.5")),
                (text("Asked at"), text("{time}", time=NOON)),
                (text("The originals"), Text("{words}", {"words": ORIGINALS})),
            ),
            buttons=(Button(command="show", generation="p1", label=text("Show {id}", id="p1")),),
            private=True,
        )
    ),
    "deleted": Case(reply=Reply(text=text("{id} was deleted.", id=GENERATION))),
}
