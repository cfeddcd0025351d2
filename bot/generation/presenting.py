"""What a generation looks like at this moment: a pure function from its stored state to the Reply that shows it."""

from collections.abc import Mapping
from dataclasses import replace

from bot.catalogue import Model
from bot.catalogue.sizes import sides, top_tier
from bot.chat import AccountLine, Button, Picture, Reply, Tone
from bot.clock import moment
from bot.generation.record import Generation, Image
from bot.generation.states import IN_FLIGHT, State
from bot.i18n import Money, Text, plural, say, text, verbatim
from bot.quota.limits import Account, amount
from bot.request import Mode

ALT_LENGTH = 300
NO_BREAK = "\N{NO-BREAK SPACE}"
HELD_UP = text("The provider is busy; I will try again soon.")
REFUSED_BY_ADMIN = text("An admin here has looked at what was made and decided not to show it.")
GIVEN_BACK = text("The quota was given back.")
CLEANED = text("Pictures are kept for a limited time, and these were cleaned up. Press Again to draw anew.")


def present(
    generation: Generation, *, place: int = 0, model: Model | None = None, accounts: tuple[AccountLine, ...] = ()
) -> Reply:
    """place: in the line, from 1; model: None where the provider no longer offers it."""
    if generation.deleted:
        return _reply(generation, text("{id} was deleted.", id=generation.id), tone=Tone.ANSWER, prompt="")
    match generation.state:
        case State.ASKED:
            return _question(generation, accounts)
        case State.QUEUED:
            return _reply(generation, _in_line(generation, place), tone=Tone.PROGRESS, buttons=(_cancel(generation),))
        case state if state in IN_FLIGHT:
            return _drawing(generation)
        case State.SETTLED if generation.held_back:
            return _held_back(generation)
        case State.SETTLED:
            return _result(generation, model)
        case State.CANCELLED:
            return _reply(
                generation, text("Cancelled. Nothing was charged."), tone=Tone.ANSWER, buttons=(_again(generation),)
            )
        case _:
            words = generation.failure or text("That did not work. Nothing was charged.")
            return _reply(
                generation, words, tone=Tone.REFUSAL, notes=(_handle(generation),), buttons=(_again(generation),)
            )


def logged(generation: Generation, state: Text, *, language: str) -> Reply:
    """What a space's log room is told: who asked for what, what it cost and what came of it. state: in words."""
    if generation.deleted:
        return replace(present(generation), language=language)
    refused = generation.review == "refused"
    rows = (
        (text("Model"), verbatim(generation.request.model)),
        (text("Pictures made"), verbatim(str(len(generation.images)))),
        (text("Cost"), text("{money}", money=Money(generation.cost))),
        (text("State"), state),
    )
    reply = _reply(generation, _title(generation), tone=Tone.ANSWER, prompt="" if refused else None)
    show = Button(command="show", generation=generation.id, label=text("Show {id}", id=generation.id))
    shown = bool(generation.images) and not generation.held_back
    return replace(reply, rows=rows, buttons=(show,) if shown else (), language=language)


def to_review(generation: Generation, by: str, *, given_back: bool, language: str) -> Reply:
    """What the admins who review a space are asked, and then told. by: the one who has decided."""
    if generation.deleted:
        return replace(present(generation), private=False, language=language)
    waits, refused = generation.review == "waiting", generation.review == "refused"
    notes = [_handle(generation)]
    if given_back:
        notes.append(GIVEN_BACK)
    reply = _reply(
        generation,
        _to_review(generation, by),
        tone=Tone.QUESTION if waits else Tone.ANSWER,
        notes=tuple(notes),
        pictures=() if refused else _stored(generation),
        buttons=_verdicts(generation, waits=waits, can_give_back=refused and not given_back and generation.cost > 0),
    )
    return replace(reply, private=False, spoiler=True, language=language)


def _to_review(generation: Generation, by: str) -> Text:
    match generation.review:
        case "waiting":
            return text("May {name} show this?", name=generation.person_name)
        case "refused":
            return text("{admin} refused what was made for {name}.", admin=by, name=generation.person_name)
        case "approved":
            return text("{admin} approved what was made for {name}.", admin=by, name=generation.person_name)
        case _:
            return text("Reviews were switched off, so {name} sees this.", name=generation.person_name)


def _verdicts(generation: Generation, *, waits: bool, can_give_back: bool) -> tuple[Button, ...]:
    if waits:
        return (
            Button(command="approve", generation=generation.id, label=text("Approve")),
            Button(command="refuse", generation=generation.id, label=text("Refuse"), danger=True),
        )
    if can_give_back:
        return (give_back(generation.id),)
    return ()


def give_back(generation: str) -> Button:
    return Button(command="give-back", generation=generation, label=text("Give the quota back"))


def result_buttons(generation: Generation, model: Model | None, index: int = 0) -> tuple[Button, ...]:
    """What one can do with a picture: each button is a command that goes on working after a restart."""
    buttons = [_again(generation)]
    if any(image.state == "made" for image in generation.images):
        # The words of a picture that was taken apart say nothing of what its layers show.
        draws = generation.request.mode is not Mode.LAYERS
        ask = text("What should change?")
        if draws:
            vary = Button(command="vary", generation=generation.id, index=index, label=text("Vary"), picks=True)
            buttons.append(vary)
        buttons.append(
            Button(command="edit", generation=generation.id, index=index, label=text("Edit"), asks=ask, picks=True)
        )
        if draws and model and model.references and generation.grows and _can_grow(generation, model):
            label = verbatim(top_tier(model))
            buttons.append(Button(command="upscale", generation=generation.id, index=index, label=label, picks=True))
    buttons.append(Button(command="details", generation=generation.id, label=text("Details")))
    buttons.append(Button(command="delete", generation=generation.id, label=text("Delete"), danger=True))
    return tuple(buttons)


def pictures(generation: Generation) -> tuple[Picture, ...]:
    """The pictures that are still stored, and may be seen."""
    return () if generation.held_back else _stored(generation)


def _stored(generation: Generation) -> tuple[Picture, ...]:
    return tuple(
        Picture(
            generation=generation.id,
            index=image.index,
            blob=image.blob,
            media_type=image.media_type,
            width=image.width,
            height=image.height,
            size=image.size,
            alt=_alt(generation, image),
        )
        for image in generation.images
        if image.state == "made"
    )


def _alt(generation: Generation, image: Image) -> str:
    """What the provider calls the picture, then the words that it was made from."""
    words = (image.title, generation.request.prompt)
    known = ": ".join(filter(None, words)) or say(text("Layer {number}", number=image.index + 1), generation.language)
    return known[:ALT_LENGTH]


def spent(generation: Generation) -> Text:
    """Seconds from admission to the end, as a person reads them."""
    seconds = (generation.finished_at - generation.started_at) / 1_000_000
    return text("{seconds} s", seconds=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")


def _question(generation: Generation, accounts: tuple[AccountLine, ...]) -> Reply:
    count, price = generation.request.count, Money(generation.price)
    if line := _tightest(accounts, {"images": count, "usd": generation.price}):
        ask = _takes(line, count, price)
    elif generation.request.mode is Mode.LAYERS:
        ask = text("This makes up to {count} layers, for at most {price}. Shall I?", count=count, price=price)
    else:
        ask = plural(
            "This takes {count} picture, for at most {price}. Shall I?",
            "This takes up to {count} pictures, for at most {price}. Shall I?",
            count,
            price=price,
        )
    buttons = (
        Button(command="go", generation=generation.id, label=text("Go")),
        Button(command="decline", generation=generation.id, label=text("Not now")),
    )
    return _reply(generation, ask, tone=Tone.QUESTION, buttons=buttons, accounts=accounts)


def _tightest(accounts: tuple[AccountLine, ...], amounts: Mapping[str, int]) -> AccountLine | None:
    """The account of which so much is the largest part of what is left; None where none has a limit."""
    limited = [line for line in accounts if line.limit is not None and not line.account.startswith("grant:")]
    return max(limited, key=lambda line: amounts[line.unit] / max(line.left or 0, 0.5), default=None)


def _takes(line: AccountLine, count: int, price: Money) -> Text:
    taken, other = (
        (price, plural("{count} picture", "{count} pictures", count)) if line.unit == "usd" else (count, price)
    )
    said = {
        "taken": taken,
        "left": amount(line.unit, line.left or 0),
        "other": other,
        "resets": text("; there is more from {time} on", time=line.resets) if line.resets else verbatim(""),
    }
    if Account(line.account).is_personal or not line.account:
        return text("This takes up to {taken} of your {left} ({other}){resets}. Shall I?", **said)
    return text(
        "This takes up to {taken} of the {left} left here ({account}, {other}){resets}. Shall I?",
        account=line.name,
        **said,
    )


def _in_line(generation: Generation, place: int) -> Text:
    if generation.tries:
        return HELD_UP
    if place <= 1:
        return text("In line: next.")
    return text("In line: number {place}.", place=place)


def _drawing(generation: Generation) -> Reply:
    made, wanted = len(generation.images), generation.request.count
    words = text("Drawing: {made} of {wanted} done.", made=made, wanted=wanted) if wanted > 1 else text("Drawing…")
    if generation.request.mode is Mode.LAYERS:  # how many there will be, nobody knows before
        words = text("Taking the picture apart…")
    if generation.cancelled:
        words = text("Stopping. What the provider already draws is waited for, because it is billed.")
    buttons = () if generation.cancelled else (_cancel(generation),)
    # A time and not a duration: platforms show it so that nothing has to be changed while it passes.
    since = (text("Started {when}", when=moment(generation.started_at)),) if generation.started_at else ()
    return _reply(generation, words, tone=Tone.PROGRESS, notes=since, pictures=pictures(generation), buttons=buttons)


def _held_back(generation: Generation) -> Reply:
    """It is made and paid for, and nobody sees it."""
    delete = Button(command="delete", generation=generation.id, label=text("Delete"), danger=True)
    refused = generation.review == "refused"
    words = REFUSED_BY_ADMIN if refused else text("Made. It waits until an admin here has looked at it.")
    notes = (_handle(generation), *((GIVEN_BACK,) if generation.given_back else ()))
    return _reply(generation, words, tone=Tone.REFUSAL if refused else Tone.ANSWER, notes=notes, buttons=(delete,))


def _result(generation: Generation, model: Model | None) -> Reply:
    shown = pictures(generation)
    notes = [_handle(generation), *generation.notes]
    made, wanted = len(generation.images), generation.request.count
    if generation.cancelled:
        notes.append(text("Cancelled too late for this: the provider had billed it, so it is kept and charged."))
    elif generation.request.mode is Mode.LAYERS:
        notes.append(
            plural("Made one layer; only that was charged.", "Made {count} layers; only those were charged.", made)
        )
    elif made < wanted:
        notes.append(text("{made} of {wanted} came; only those were charged.", made=made, wanted=wanted))
    notes.extend(words for place, words in enumerate(generation.missing) if words not in generation.missing[:place])
    if len(shown) < made:
        notes.append(CLEANED)
    if generation.given_back:
        notes.append(GIVEN_BACK)
    return _reply(
        generation,
        _title(generation),
        tone=Tone.ANSWER,
        notes=tuple(notes),
        pictures=shown,
        buttons=(*result_buttons(generation, model), *_instead(generation)),
    )


def _title(generation: Generation) -> Text:
    name = generation.person_name
    match generation.request.mode:
        case Mode.EDIT if generation.parent:
            return text("Edited for {name}, from {parent}", name=name, parent=generation.parent)
        case Mode.EDIT:
            return text("Edited for {name}", name=name)
        case Mode.BLEND:
            return text("Blended for {name}", name=name)
        case Mode.SERIES:
            return text("A series for {name}", name=name)
        case Mode.LAYERS:
            return text("Layers for {name}", name=name)
        case _:
            return text("Drawn for {name}", name=name)


def _handle(generation: Generation) -> Text:
    """Model, size, price, time, id: the line of small print under a picture."""
    parts = [generation.request.model]
    if generation.images:
        image = generation.images[0]
        parts.append(f"{image.width}×{image.height}")
    if generation.cost:
        parts.append(str(Money(generation.cost)))
    if generation.images and generation.finished_at:
        parts.append(str(spent(generation)))
    return verbatim(" · ".join(part.replace(" ", NO_BREAK) for part in (*parts, generation.id)))


def _can_grow(generation: Generation, model: Model) -> bool:
    """The model's top tier would be larger than what is here."""
    largest = max(x * y for x, y in filter(None, map(sides, model.tiers[top_tier(model)].values())))
    return any(image.width * image.height * 1.2 < largest for image in generation.images)


def _instead(generation: Generation) -> tuple[Button, ...]:
    """A reply to a message with several pictures meant one of them: the others are one press away."""
    return tuple(
        Button(
            command="instead",
            generation=generation.id,
            index=index,
            label=text("Picture {number} instead", number=index + 1),
        )
        for index in (each.index for each in generation.others)
    )


def _again(generation: Generation) -> Button:
    return Button(command="again", generation=generation.id, label=text("Again"))


def _cancel(generation: Generation) -> Button:
    return Button(command="cancel", generation=generation.id, label=text("Cancel"))


def _reply(
    generation: Generation,
    words: Text,
    *,
    tone: Tone,
    prompt: str | None = None,
    notes: tuple[Text, ...] = (),
    pictures: tuple[Picture, ...] = (),
    buttons: tuple[Button, ...] = (),
    accounts: tuple[AccountLine, ...] = (),
) -> Reply:
    return Reply(
        text=words,
        tone=tone,
        prompt=generation.request.prompt if prompt is None else prompt,
        notes=notes,
        pictures=pictures,
        buttons=buttons,
        accounts=accounts,
        private=generation.private,
        generation=generation.id,
        state=str(generation.state),
        language=generation.language,
    )
