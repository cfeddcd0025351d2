"""The commands that choose and explain: /models, /settings, /help."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from bot.asking import Answer, Asking
from bot.capabilities import seen
from bot.catalogue import Model
from bot.catalogue.router import Router
from bot.chat import Reply
from bot.clock import moment
from bot.command import Command, CommandTable, Kind, Option, option
from bot.commands.choice import every_offer
from bot.commands.looking import Nothing
from bot.commands.making import hidden, optimisations
from bot.errors import UsageError
from bot.generation.health import Resting
from bot.generation.service import GenerationService
from bot.i18n import LANGUAGES, Money, Text, text, verbatim
from bot.people import Preferences
from bot.teams import NOBODY, team_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichCommand:
    command: str = option(Kind.CHOICE, text("A command's name"), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    model: str = option(Kind.CHOICE, text("Your usual model; “default” takes it back"), default="")
    size: str = option(Kind.CHOICE, text("Your usual size, such as 2K"), default="")
    ratio: str = option(Kind.CHOICE, text("Your usual ratio, such as 16:9"), default="")
    format: str = option(Kind.CHOICE, text("Your usual format"), default="", choices=("jpeg", "png", "default"))
    optimize: str = option(Kind.CHOICE, text("How the model usually improves your words"), default="")
    language: str = option(
        Kind.CHOICE, text("The language of the answers"), default="", choices=("en", "zh-CN", "default")
    )
    watermark: str = option(
        Kind.CHOICE, text("The provider's mark on pictures"), default="", choices=("yes", "no", "default")
    )
    private: str = option(Kind.CHOICE, text("Show results to you alone"), default="", choices=("yes", "no", "default"))
    team: str = option(Kind.CHOICE, text("The team for which you usually draw; “none” is for yourself"), default="")


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """table: all commands; it exists only once these are in it."""

    service: GenerationService
    router: Router
    default_model: str
    preferences: Preferences
    table: Callable[[], CommandTable]

    async def models(self, request: Nothing, asking: Asking) -> Answer:
        usual = self.router.default(asking.defaults.get("model", "") or self.default_model)
        names = tuple(self._title(provider) for provider in self.router.order)
        rows = tuple((verbatim(model.name), self._model_line(model)) for model in self.router.models())
        resting = await self.service.health()
        notes = tuple(self._resting(each, told=asking.person.admin) for each in resting)
        words = text("Models of {provider}; yours is {model}.", provider=names, model=usual.name)
        return Reply(text=words, rows=rows, notes=notes, private=True)

    async def settings(self, request: Defaults, asking: Asking) -> Answer:
        asked = {name: getattr(request, name) for name in Defaults.__slots__ if getattr(request, name)}
        changes = {
            name: "" if value == "default" else self._usable(name, value, asking) for name, value in asked.items()
        }
        now = dict(asking.person.settings)
        if changes:
            now = await self.preferences.change(asking.person.id, changes)
        here = self.table().find("settings").options
        rows = tuple(
            (verbatim(each.name), _setting(each.name, now.get(each.name, ""), asking))
            for each in here
            if each.name != "team" or asking.teams
        )
        words = (
            text("Changed. Your defaults are now:")
            if changes
            else text("Your defaults. Change one: /settings --size 4K")
        )
        language = {**asking.rules.defaults, **now}.get("language", "")
        return Reply(text=words, rows=rows, private=True, language=language)

    async def help(self, request: WhichCommand, asking: Asking) -> Answer:
        table = self.table()
        if request.command:
            command = table.find(request.command.lstrip("/／"))
            command.check_allowed(admin=asking.person.admin)
            return _help_of(command)
        shown = table.listed_for(admin=asking.person.admin)
        rows = tuple((verbatim(f"/{each.name}"), each.summary) for each in shown)
        notes = (
            text("Words alone draw; in reply to a picture they change it. Attached pictures keep their order."),
            text("Cancelling is free while a request waits. Once the provider draws, it bills: what comes is charged."),
            text("/help imagine tells more about one command."),
        )
        return Reply(text=text("What I can do:"), rows=rows, notes=notes, private=True)

    def _usable(self, name: str, value: str, asking: Asking) -> str:
        """As it is stored: a team by its id, since its name may change."""
        if name == "team":
            team = team_of(asking.teams, value)
            return team.id if team else NOBODY
        return usable_default(self.router, name, value)

    def _model_line(self, model: Model) -> Text:
        offers = self.router.offers(model.name)
        line = _facts(model)
        if more := _abilities(offers):
            line = text("{facts}; also {abilities}", facts=line, abilities=more)
        if len(self.router.order) > 1:
            names = tuple(self._title(offer.provider) for offer in offers)
            line = text("{facts}; by {providers}", facts=line, providers=names)
        return line

    def _resting(self, resting: Resting, *, told: bool) -> Text:
        said = {"provider": self._title(resting.provider), "time": moment(resting.until)}
        if not told:
            return text("{provider} is paused until {time}.", **said)
        return text(
            "{provider} is left alone until {time}: {reason}.",
            **said,
            reason=_REASONS.get(resting.reason, resting.reason),
        )

    def _title(self, provider: str) -> str:
        return self.router.catalogue.offer(provider).title


def usable_default(router: Router, name: str, value: str) -> str:
    """A default must be something that some model here takes; raises `UsageError`."""
    models = router.models()
    known = {
        "size": tuple(dict.fromkeys(tier for model in models for tier in model.tiers)),
        "ratio": tuple(dict.fromkeys(each for model in models for table in model.tiers.values() for each in table)),
    }
    if name == "model":
        return router.offers(value)[0].name
    if name in known:
        found = next((each for each in known[name] if each.lower() == value.lower()), None)
        if found is None:
            raise UsageError(
                text(
                    "{option} can be one of {choices} as a default, not {value}.",
                    option=name,
                    choices=known[name],
                    value=value,
                )
            )
        return found
    return value


def commands(choosing: Choosing) -> tuple[Command, ...]:
    offers = every_offer(choosing.router)
    return (
        Command(
            name="models",
            summary=text("The models, their sizes and prices"),
            request=Nothing,
            handle=choosing.models,
            private=True,
            aliases=("模型",),
        ),
        Command(
            name="settings",
            summary=text("Your defaults"),
            request=Defaults,
            choices={"optimize": (*optimisations(offers), "default")},
            suggestions={"team": ("default",)},
            hidden=hidden(offers) & {each.name for each in fields(Defaults)},
            handle=choosing.settings,
            private=True,
            aliases=("设置",),
        ),
        Command(
            name="help",
            summary=text("What the bot can do"),
            request=WhichCommand,
            handle=choosing.help,
            private=True,
            aliases=("帮助",),
        ),
    )


_REASONS = {
    "busy": text("it is too busy, or cannot be reached"),
    "misconfigured": text("its key, account or model does not work"),
    "unknown": text("it gives no clear answer"),
    "broken": text("its answers hold no usable picture"),
}


def _facts(model: Model) -> Text:
    """What matters about a model to everybody, as the preferred provider offers it."""
    return text(
        "{sizes}; {pictures}; {series}; from {price} a picture",
        sizes=tuple(model.tiers),
        pictures=text("takes up to {references}", references=seen(model)) if model.references else text("words only"),
        series=text("series up to {most}", most=model.series_total) if model.series else text("no series"),
        price=Money(model.prices[0][1]),
    )


def _abilities(offers: tuple[Model, ...]) -> tuple[Text, ...]:
    """What not every model can, where one of its providers lets it."""
    abilities = (
        (text("layers"), any(offer.layers for offer in offers)),
        (text("a transparent background"), any("transparent" in offer.backgrounds for offer in offers)),
        (text("searching the web"), any(offer.search for offer in offers)),
        (text("a seed"), any(offer.seed for offer in offers)),
        (text("guidance"), any(offer.guidance for offer in offers)),
    )
    optimised = optimisations(offers)
    named = tuple(name for name, has in abilities if has)
    return (*named, text("optimisation {ways}", ways="/".join(optimised))) if optimised else named


def _setting(name: str, value: str, asking: Asking) -> Text:
    if name == "team" and value != NOBODY:
        value = next((each.name for each in asking.teams if each.id == value), "")
    if not value:
        return text("default")
    return verbatim(LANGUAGES.get(value, value) if name == "language" else value)


def _help_of(command: Command) -> Reply:
    rows = []
    for each in command.options:
        values = (*each.choices, *each.suggestions)
        told = text("{help} ({values})", help=each.help, values=values) if values else each.help
        rows.append((_name(each), told))
    notes = [text("Write: {usage}", usage=command.usage())]
    notes += [text("For example: {example}", example=each) for each in command.examples]
    if command.aliases:
        notes.append(text("Also called: {names}", names=tuple(f"/{alias}" for alias in command.aliases)))
    return Reply(text=command.summary, rows=tuple(rows), notes=tuple(notes), private=True)


def _name(option: Option) -> Text:
    first, last = option.names[0], option.names[-1]
    return verbatim(first) if first == last else text("{first} to {last}", first=first, last=last)
