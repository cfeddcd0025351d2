"""Command names and descriptions in the languages that both Discord and the bot have."""

import re

from bot.i18n import Text, say

CHINESE = "zh-CN"
# https://docs.discord.com/developers/interactions/application-commands#application-command-object
NAME = re.compile(r"[-_'\w]{1,32}")
MOST_DESCRIPTION = 100


def names(aliases: tuple[str, ...]) -> dict[str, str]:
    """The first other name that is Chinese and one that Discord takes."""
    for alias in aliases:
        if NAME.fullmatch(alias) and alias == alias.lower() and re.search(r"[\u4e00-\u9fff]", alias):
            return {CHINESE: alias}
    return {}


def description(words: Text) -> str:
    return cut(say(words, "en"))


def translated(words: Text) -> dict[str, str]:
    """Empty where there is no translation: Discord then shows the English form."""
    chinese = cut(say(words, CHINESE))
    return {} if chinese == description(words) else {CHINESE: chinese}


def cut(words: str) -> str:
    return words if len(words) <= MOST_DESCRIPTION else words[: MOST_DESCRIPTION - 1] + "…"
