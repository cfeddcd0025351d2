"""Which pictures a message holds: attached, forwarded, shown by an embed or a component, or linked in its words."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import discord

from adapters.discord.event import File

LINK = re.compile(
    r"<?(https?://[^\s<>]+?\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|heif|avif)(?:\?[^\s<>]*)?)>?(?=\s|$)", re.IGNORECASE
)
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
Holder = discord.Message | discord.MessageSnapshot


def pictures_of(message: Holder) -> tuple[File, ...]:
    """Every picture of a message, each once, in the order in which it is seen."""
    return tuple(dict(reversed([*_found(message)])).values())[::-1]


def given_with(message: discord.Message) -> tuple[File, ...]:
    """What a person sends along with their words; a page's preview, which Discord adds by itself, is not meant."""
    forwarded = [file for one in message.message_snapshots for file in pictures_of(one)]
    own = attached(message) or tuple(map(file_of, message.attachments))  # no picture at all: the core says so
    return (*own, *linked(message.content), *forwarded)


def attached(message: Holder) -> tuple[File, ...]:
    return tuple(file_of(one) for one in message.attachments if is_picture(one))


def file_of(attachment: discord.Attachment) -> File:
    return File(
        id=str(attachment.id),
        name=attachment.filename,
        url=attachment.url,
        size=attachment.size,
        fleeting=attachment.ephemeral,
    )


def is_picture(attachment: discord.Attachment) -> bool:
    """By what Discord says of it; HEIC has no type there. What it is, is found out when it is read."""
    claimed = attachment.content_type or ""
    return claimed.startswith("image/") or PurePosixPath(attachment.filename.lower()).suffix in SUFFIXES


def linked(words: str) -> tuple[File, ...]:
    return tuple(_linked(match[1]) for match in LINK.finditer(words))


def without_links(words: str) -> str:
    """Somebody's words without the links that are pictures."""
    return LINK.sub("", words).strip()


def _found(message: Holder) -> Iterator[tuple[str, File]]:
    """Pictures with the address under which two of them are the same."""
    for file in (*attached(message), *linked(message.content)):
        yield _address(file.url), file
    for embed in message.embeds:
        for media in (embed.image, embed.thumbnail):
            if media.url:
                # Discord's own copy is there even if the page has changed since, and no stranger is asked for it.
                yield _address(media.url), _linked(media.proxy_url or media.url)
    for url in _shown_by(message.components):
        yield _address(url), _linked(url)
    for snapshot in message.message_snapshots if isinstance(message, discord.Message) else ():
        yield from _found(snapshot)


def _shown_by(components: Iterable[Any]) -> Iterator[str]:
    """The pictures of galleries and thumbnails, however deep: a message of this kind shows no attachments."""
    for one in components:
        if isinstance(one, discord.MediaGalleryComponent):
            yield from (item.media.url for item in one.items)
        if isinstance(one, discord.ThumbnailComponent):
            yield one.media.url
        if isinstance(one, discord.SectionComponent):
            yield from _shown_by([one.accessory])
        yield from _shown_by(getattr(one, "children", ()))


def _linked(url: str) -> File:
    name = PurePosixPath(urlsplit(url).path).name[-100:] or "picture"
    return File(id="", name=name, url=url)


def _address(url: str) -> str:
    """Discord signs each link anew, and has two hosts for each file; its path is the file."""
    parts = urlsplit(url)
    return parts.path if parts.hostname in FILE_HOSTS else url
