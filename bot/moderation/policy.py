"""What a space's rules say to a request: whether it may be made, how, and whether its result is reviewed. Pure.

Everything that is made goes through here before anything is held: what is asked in words, and what a button repeats
under rules that may have changed since.
"""

from bot.audit import By, note
from bot.errors import NotAllowed
from bot.i18n import Text, text
from bot.moderation import words
from bot.request import ImageRequest
from bot.spaces import SpaceRules, WordRule
from bot.storage.connection import Connection

ALWAYS, NEVER = "always", "never"


class WordsRefused(NotAllowed):
    """rule: the one of the space that does so. The person is not told which: lists are not for probing."""

    def __init__(self, rule: WordRule) -> None:
        super().__init__(text("These words are not allowed here. Nothing was charged; please say it differently."))
        self.rule = rule


def check_words(rules: SpaceRules, prompt: str) -> bool:
    """Whether the result is to be reviewed; raises `WordsRefused`."""
    met = words.decide(rules.words, prompt)
    if met is not None and met.verdict == "refuse":
        raise WordsRefused(met)
    return bool(rules.review) and (rules.review_all or met is not None)


def check_model(rules: SpaceRules, model: str) -> None:
    if rules.models and model not in rules.models:
        raise NotAllowed(text("The admins here allow only {models}, not {model}.", models=rules.models, model=model))


def check(rules: SpaceRules, request: ImageRequest) -> None:
    """Raises `NotAllowed` for a request that is not as the rules want it, as it will be sent."""
    check_model(rules, request.model)
    if marked(rules, request.watermark) != request.watermark:
        raise NotAllowed(text("The rules here have changed since. Please ask for it anew."))


def marked(rules: SpaceRules, asked: bool | None) -> bool | None:
    """Whether the provider's mark is put on; None leaves it to the person's usual choice."""
    return {ALWAYS: True, NEVER: False}.get(rules.watermark, asked)


def mark_note(rules: SpaceRules, asked: bool | None) -> tuple[Text, ...]:
    """What to tell whoever asked for the contrary."""
    if asked is None or marked(rules, asked) == asked:
        return ()
    if asked:
        return (text("The admins here want no picture to carry the provider's mark."),)
    return (text("The admins here want every picture to carry the provider's mark."),)


def note_refusal(connection: Connection, space: str, by: By, rule: WordRule, at: int) -> None:
    """The audit knows who met which rule, and nothing of what they wrote."""
    note(connection, space, by, "refused words", "", rule.words, at)
