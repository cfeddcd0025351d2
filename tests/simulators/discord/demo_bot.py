"""A small bot on the real discord.py that uses everything of Discord that the fake has, to try the fake with.

It knows nothing of the fake. As a program of its own it takes DEMO_TOKEN and DEMO_PROXY from the environment.
"""

import asyncio
import io
import os
from typing import Any

import discord
from discord import app_commands, ui
from PIL import Image


def drawn(side: int = 64, colour: str = "tomato") -> bytes:
    """A PNG, the same for the same words."""
    kept = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(kept, "PNG")
    return kept.getvalue()


def picture(name: str = "picture.png", data: bytes | None = None) -> discord.File:
    return discord.File(io.BytesIO(data or drawn()), name, description="a picture")


class Again(ui.DynamicItem[ui.Button[Any]], template=r"again:(?P<id>\d+)"):
    """A button that works after a restart, as all it needs stands in its id."""

    def __init__(self, number: int) -> None:
        super().__init__(ui.Button(label="Again", custom_id=f"again:{number}"))

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any, /) -> "Again":
        return cls(int(match["id"]))

    async def callback(self, interaction: Any) -> None:
        await interaction.response.send_modal(Change())


class Change(ui.Modal, title="Change"):
    words: ui.Label[Any] = ui.Label(text="Words", component=ui.TextInput(max_length=4000))
    files: ui.Label[Any] = ui.Label(text="Pictures", component=ui.FileUpload(required=False, max_values=10))

    async def on_submit(self, interaction: Any, /) -> None:
        await interaction.response.defer(thinking=True)
        given = [await one.read() for one in self.files.component.values]  # type: ignore[attr-defined]
        said = f"{self.words.component.value}, {len(given)} pictures"  # type: ignore[attr-defined]
        files = [discord.File(io.BytesIO(data), f"{index}.png") for index, data in enumerate(given)]
        await interaction.followup.send(said, files=files)


class Which(ui.Select[Any]):
    def __init__(self) -> None:
        options = [discord.SelectOption(label=f"Picture {n}", value=str(n)) for n in (1, 2)]
        super().__init__(custom_id="which", placeholder="Which picture?", options=options)

    async def callback(self, interaction: Any) -> None:
        await interaction.response.edit_message(view=card(f"chose {self.values[0]}"))


def card(words: str, *, shows: str | None = None) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    items = [discord.MediaGalleryItem(f"attachment://{shows}", description="a fox")] if shows else []
    gallery: list[Any] = [ui.MediaGallery(*items)] if items else []
    row: ui.ActionRow[Any] = ui.ActionRow(Again(7))
    view.add_item(ui.Container(ui.TextDisplay(words), *gallery, row, ui.ActionRow(Which())))
    return view


class DemoBot(discord.Client):
    """errors: what handlers raised. heard: contents of messages."""

    def __init__(self, *, content: bool = True, **options: Any) -> None:
        intents = discord.Intents(guilds=True, messages=True, message_content=content)
        super().__init__(intents=intents, guild_ready_timeout=0.01, **options)
        self.tree = app_commands.CommandTree(self)
        self.errors: list[BaseException] = []
        self.heard: list[discord.Message] = []
        self.resumes = 0
        self.connects = 0

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without the 5 s that discord.py waits before it identifies again."""

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        self.tree.error(self.on_tree_error)
        commands: list[Any] = [imagine, edit, forbidden]
        for command in commands:
            self.tree.add_command(command)
        await self.tree.sync()

    async def on_tree_error(self, _: Any, error: app_commands.AppCommandError) -> None:
        self.errors.append(getattr(error, "original", error))

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)
        source = message.reference.resolved if message.reference else None
        if message.author != self.user and isinstance(source, discord.Message) and source.attachments:
            data = await source.attachments[0].read()
            await message.reply(f"{len(data)} bytes", file=picture(data=data))

    async def on_resumed(self) -> None:
        self.resumes += 1

    async def on_connect(self) -> None:
        self.connects += 1


@app_commands.command(description="Draw a picture")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.describe(prompt="What to draw", image="What to start from", private="Only you see it")
async def imagine(
    interaction: discord.Interaction[Any],
    prompt: app_commands.Range[str, 1, 4000],
    model: str = "",
    image: discord.Attachment | None = None,
    private: bool = False,
) -> None:
    await interaction.response.defer(thinking=True, ephemeral=private)
    data = await image.read() if image else None
    await interaction.followup.send(view=card(prompt, shows="picture.png"), file=picture(data=data))


@imagine.autocomplete("model")
async def models(_: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=name, value=name) for name in ("seedream-4", "seedream-5") if typed in name]


@app_commands.command(description="Answer in a way that Discord does not take")
@app_commands.choices(how=[app_commands.Choice(name=name, value=name) for name in ("long id", "eleven", "embed")])
async def forbidden(interaction: discord.Interaction[Any], how: app_commands.Choice[str]) -> None:
    view = card("words")
    if how.value == "long id":
        view.add_item(ui.ActionRow(ui.Button(label="x", custom_id="x" * 101)))
    if how.value == "eleven":
        items = [discord.MediaGalleryItem("https://example.org/a.png") for _ in range(11)]
        view.add_item(ui.MediaGallery(*items))
    embeds = [discord.Embed(title="a")] if how.value == "embed" else []
    await interaction.response.defer()
    await interaction.edit_original_response(view=view, embeds=embeds)


@app_commands.context_menu(name="Edit picture")
async def edit(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    await interaction.response.defer(ephemeral=True)
    data = await message.attachments[0].read()
    await interaction.edit_original_response(content="done", attachments=[picture(data=data)])


async def main() -> None:
    async with DemoBot(proxy=os.environ["DEMO_PROXY"]) as bot:
        await bot.start(os.environ["DEMO_TOKEN"])


if __name__ == "__main__":
    asyncio.run(main())
