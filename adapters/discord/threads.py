"""A series goes on in a thread of its own message, where the operator wants that and Discord lets the bot do it."""

from adapters.discord.escape import clamp
from adapters.discord.target import Target
from bot.chat import Post

MOST_BESIDE = 4  # pictures that stay in the message itself
NAME = 100
EXISTS = 160004  # a message has at most one thread, and its id is the message's


class NoThread(Exception):
    """There is none, or the bot may not write in it."""


def is_series(post: Post, to: Target) -> bool:
    """Whether so many pictures of one request are shown to everybody in a server that the bot is in."""
    shared = to.guild and to.member and not to.log and not (post.reply.private or post.place.private)
    return bool(shared) and bool(post.reply.generation) and len(post.reply.pictures) > MOST_BESIDE


def name_of(post: Post) -> str:
    return clamp(" ".join(post.reply.prompt.split()), NAME) or post.reply.generation
