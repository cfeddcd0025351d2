"""Which pictures a message holds: attached, forwarded, shown by an embed or a component, or linked in its words."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import discord

from adapters.discord.event import File

# Two looks at each link, and no way back in either: one look at both took seconds over hostile words.
LINK = re.compile(r"<?(https?://[^\s<>]++)>?(?=\s|$)", re.IGNORECASE)
_OF_PICTURE = re.compile(r"\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|heif|avif)(?:\?|$)", re.IGNORECASE)
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
        spoiler=attachment.is_spoiler(),
    )


def is_picture(attachment: discord.Attachment) -> bool:
    """By what Discord says of it; HEIC has no type there. What it is, is found out when it is read."""
    claimed = attachment.content_type or ""
    return claimed.startswith("image/") or PurePosixPath(attachment.filename.lower()).suffix in SUFFIXES


def linked(words: str) -> tuple[File, ...]:
    return tuple(_linked(match[1]) for match in LINK.finditer(words) if _shows(match[1]))


def without_links(words: str) -> str:
    """Somebody's words without the links that are pictures."""
    return LINK.sub(lambda match: "" if _shows(match[1]) else match[0], words).strip()


def _found(message: Holder) -> Iterator[tuple[str, File]]:
    """Pictures with the address under which two of them are the same."""
    for file in (*attached(message), *linked(message.content)):
        yield _address(file.url), file
    for embed in message.embeds:
        for media in (embed.image, embed.thumbnail):
            if media.url and _leads_somewhere(media.proxy_url or media.url):
                # Discord's own copy is there even if the page has changed since, and no stranger is asked for it.
                yield _address(media.url), _linked(media.proxy_url or media.url)
    for url, spoiler in _shown_by(message.components):
        if _leads_somewhere(url):
            yield _address(url), _linked(url, spoiler=spoiler)
    for snapshot in message.message_snapshots if isinstance(message, discord.Message) else ():
        yield from _found(snapshot)


def _shown_by(components: Iterable[Any]) -> Iterator[tuple[str, bool]]:
    """The pictures of galleries and thumbnails, however deep, and whether each is hidden.

    A message of this kind shows no attachments.
    """
    for one in components:
        if isinstance(one, discord.MediaGalleryComponent):
            yield from ((item.media.url, item.spoiler) for item in one.items)
        if isinstance(one, discord.ThumbnailComponent):
            yield one.media.url, one.spoiler
        if isinstance(one, discord.SectionComponent):
            yield from _shown_by([one.accessory])
        yield from _shown_by(getattr(one, "children", ()))


def _shows(url: str) -> bool:
    return bool(_OF_PICTURE.search(url)) and _leads_somewhere(url)


def _leads_somewhere(url: str) -> bool:
    """Whether it can be taken apart; `https://[x/a.png` cannot, and nothing is to be had from there."""
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def _linked(url: str, *, spoiler: bool = False) -> File:
    name = PurePosixPath(urlsplit(url).path).name[-100:] or "picture"
    return File(id="", name=name, url=url, spoiler=spoiler)


def _address(url: str) -> str:
    """Discord signs each link anew, and has two hosts for each file; its path is the file."""
    parts = urlsplit(url) if _leads_somewhere(url) else None
    return parts.path if parts and parts.hostname in FILE_HOSTS else url
