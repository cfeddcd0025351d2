"""Everything of Discord that a picture bot may show, sent by the real discord.py and held to Discord's document."""

from typing import Any

import discord
import pytest
from discord import ui

from tests.simulators.discord.demo_bot import DemoBot, drawn, picture
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.forms import Upload
from tests.simulators.discord.interactions import Ack, Asked

pytestmark = pytest.mark.slow


def there(bot: DemoBot, fake: FakeDiscord) -> discord.PartialMessageable:
    return bot.get_partial_messageable(int(fake.channel.id))


async def test_every_part_of_a_card_is_shown(fake: FakeDiscord, bot: DemoBot) -> None:
    view = ui.LayoutView(timeout=None)
    thumbnail: ui.Thumbnail[Any] = ui.Thumbnail("attachment://a.png", description="small", spoiler=True)
    items = [discord.MediaGalleryItem(f"attachment://{name}.png", spoiler=name == "b") for name in "ab"]
    link: ui.Button[Any] = ui.Button(label="Original", url="https://example.org/a.png")
    emoji: ui.Button[Any] = ui.Button(emoji="🔁", custom_id="again", style=discord.ButtonStyle.danger, disabled=True)
    users: ui.UserSelect[Any] = ui.UserSelect(custom_id="who")
    parts: list[Any] = [
        ui.Section("words beside it", accessory=thumbnail),
        ui.Section("more words", accessory=ui.Button(label="Details", custom_id="details")),
        ui.Separator(spacing=discord.SeparatorSpacing.large),
        ui.MediaGallery(*items),
        ui.File("attachment://c.txt", spoiler=True),
        ui.ActionRow(link, emoji),
        ui.ActionRow(users),
    ]
    view.add_item(ui.Container(*parts, accent_colour=0x336699, spoiler=True))
    files = [picture("a.png", drawn(8, "red")), picture("b.png", drawn(8, "green")), picture("c.txt", b"words")]

    sent = await there(bot, fake).send(view=view, files=files, silent=True)
    fetched = await there(bot, fake).fetch_message(sent.id)

    message = fake.channel.last
    assert message.text == "words beside it\nmore words"
    assert message.pictures == [drawn(8, "red"), drawn(8, "green"), b"words"]
    assert [*message.buttons] == ["Details", "Original", "🔁"]
    assert [type(one) for one in fetched.components] == [discord.Container]
    assert fetched.attachments == []


async def test_embeds_show_what_is_attached(fake: FakeDiscord, bot: DemoBot) -> None:
    embed = discord.Embed(title="A fox", description="red", timestamp=discord.utils.utcnow(), colour=0x336699)
    embed.set_image(url="attachment://picture.png").set_footer(text="seedream").set_author(name="bob")
    embed.add_field(name="Size", value="2K")

    sent = await there(bot, fake).send("hello", embed=embed, file=picture())
    await sent.edit(embed=sent.embeds[0].set_footer(text="changed"), suppress=False)

    assert sent.attachments == []  # what an embed shows is not listed again
    assert (fake.channel.last.text, fake.channel.last.pictures) == ("hello\nA fox\nred", [drawn()])


async def test_the_bot_forwards_and_replies(fake: FakeDiscord, bot: DemoBot) -> None:
    source = await there(bot, fake).send("hello", file=picture())
    channel = bot.get_channel(int(fake.channel.id))
    assert isinstance(channel, discord.TextChannel)

    forwarded = await source.forward(channel)
    answer = await source.reply("again", mention_author=False)

    assert forwarded.message_snapshots[0].content == "hello"
    assert answer.reference
    assert answer.reference.message_id == source.id
    assert fake.channel.last.pinged == set()


async def test_a_modal_has_every_kind_of_field(fake: FakeDiscord, bot: DemoBot) -> None:
    class Form(ui.Modal, title="Edit"):
        async def on_submit(self, interaction: Any, /) -> None:
            await interaction.response.edit_message(content=str(interaction.data["components"]))

    options = [discord.SelectOption(label=size, value=size.lower(), default=size == "2K") for size in ("1K", "2K")]
    radio = [discord.RadioGroupOption(label=name, value=name) for name in ("fast", "fine")]
    fields: list[Any] = [
        ui.TextDisplay("What shall change?"),
        ui.Label(text="Words", description="as you like", component=ui.TextInput(custom_id="words", required=False)),
        ui.Label(text="Size", component=ui.Select(custom_id="size", options=options)),
        ui.Label(text="How", component=ui.RadioGroup(custom_id="how", options=radio)),
        ui.Label(text="Spoiler", component=ui.Checkbox(custom_id="spoiler")),
    ]
    pressed = await _opened(fake, bot, Form(), fields)
    answered = await fake.person("eve").submit(pressed, {"How": "fine", "Spoiler": True, "Size": "1K"})
    await answered.acknowledged()

    assert (pressed.ack, answered.ack) == (Ack.MODAL, Ack.UPDATE)
    assert answered.source
    assert all(f"'{value}'" in answered.source.text for value in ("fine", "1k", "how"))


async def test_only_what_a_modal_takes_can_be_sent(fake: FakeDiscord, bot: DemoBot) -> None:
    fields: list[Any] = [ui.Label(text="Pictures", component=ui.FileUpload(custom_id="files", max_values=1))]
    pressed = await _opened(fake, bot, ui.Modal(title="Edit", custom_id="edit"), fields)
    bob = fake.person("bob")
    unsendable = {
        "takes 1 to 1": [[], [Upload("a.png", drawn())] * 2],
        "larger than": [[Upload("a.bin", bytes(10 * 2**20 + 1))]],
    }

    for words, cases in unsendable.items():
        for files in cases:
            with pytest.raises(ValueError, match=words):
                await bob.submit(pressed, files=files)

    assert len(fake.interactions.asked) == 1


async def _opened(fake: FakeDiscord, bot: DemoBot, modal: ui.Modal, fields: list[Any]) -> Asked:
    """Press a button that opens this modal."""
    for field in fields:
        modal.add_item(field)

    class Opening(ui.View):
        @ui.button(label="Open", custom_id="open")
        async def open(self, interaction: Any, _: Any) -> None:
            await interaction.response.send_modal(modal)

    await there(bot, fake).send("press", view=Opening(timeout=None))
    return await (await fake.person("bob").press(fake.channel.last, "Open")).acknowledged()
