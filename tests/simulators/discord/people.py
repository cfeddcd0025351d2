"""People who use this Discord: they write, press, choose, fill in, and see what comes of it.

What Discord's client would not let them do raises LookupError or ValueError, so a test cannot do it by mistake.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.simulators.discord.commands import MESSAGE_MENU, SLASH, USER_MENU
from tests.simulators.discord.forms import Upload, bind, chosen, fill, options_of
from tests.simulators.discord.interactions import Asked, Asking
from tests.simulators.discord.messages import Part, post, reply_or_forward
from tests.simulators.discord.model import Attachment, Channel, Guild, Kind, Message, Role, User
from tests.simulators.discord.permissions import EVERYONE, permissions
from tests.simulators.discord.render import (
    acting_member_json,
    attachment_json,
    channel_json,
    member_json,
    message_json,
    role_json,
    user_json,
)
from tests.simulators.discord.wire import Json
from tests.simulators.discord.world import Event

if TYPE_CHECKING:
    from tests.simulators.discord.fake import FakeDiscord


class Person:
    """`user` is what others see of them. Everything happens in the first server's channel unless `in_` says where."""

    def __init__(self, fake: "FakeDiscord", user: User) -> None:
        self._fake = fake
        self.user = user

    @property
    def direct(self) -> Channel:
        """Their conversation with the bot."""
        return self._fake.direct_channel(self.user)

    @property
    def mention(self) -> str:
        return self.user.mention

    def install(self) -> None:
        """Take the app along everywhere: into servers that it is no member of, and into group conversations."""
        self._fake.installed_by.add(self.user.id)

    async def slash(self, line: str, *, in_: Channel | None = None, **values: Any) -> Asked:
        """Use a slash command: `slash("imagine", prompt="a fox")`, `slash("admin space show")`."""
        command, data = self._command(line, values, in_ or self._fake.channel, Asking.COMMAND)
        return self._ask(Asking.COMMAND, data, in_ or self._fake.channel, command=command)

    async def autocomplete(
        self, line: str, option: str, typed: str | float = "", *, in_: Channel | None = None, **others: Any
    ) -> Asked:
        """Type in an option; `choices` of what comes back holds what was offered."""
        channel = in_ or self._fake.channel
        command, data = self._command(line, {**others, option: typed}, channel, Asking.AUTOCOMPLETE)
        inner: Json = data
        while inner["options"] and "options" in inner["options"][0]:
            inner = inner["options"][0]
        focused = next(one for one in inner["options"] if one["name"] == option)
        focused |= {"focused": True, "value": str(typed)}
        return self._ask(Asking.AUTOCOMPLETE, data, channel, command=command)

    async def menu(self, name: str, target: Message | User, *, in_: Channel | None = None) -> Asked:
        """Choose an entry of the menu of a message or of a person."""
        kind = MESSAGE_MENU if isinstance(target, Message) else USER_MENU
        channel = target.channel if isinstance(target, Message) else in_ or self._fake.channel
        command = self._known(name, kind, channel)
        data: Json = {"id": command["id"], "name": name, "type": kind, "target_id": target.id}
        if isinstance(target, Message):
            self._sees(target)
            data["resolved"] = {"messages": {target.id: message_json(target, self._fake.cdn, depth=0)}}
        else:
            data["resolved"] = {"users": {target.id: user_json(target)}}
        return self._ask(Asking.COMMAND, data, channel, command=command)

    async def press(self, message: Message, which: str) -> Asked:
        """Press a button, by label, emoji or custom id."""
        self._sees(message)
        named = {**{one["custom_id"]: one for one in message.buttons.values() if "custom_id" in one}, **message.buttons}
        if which not in named or "custom_id" not in named[which]:
            raise LookupError(f"no button {which!r} to press; there are {[*message.buttons]}")
        if named[which].get("disabled"):
            raise LookupError(f"the button {which!r} is switched off")
        return self._use(message, named[which])

    async def select(self, message: Message, which: str, *values: str) -> Asked:
        """Choose options, by label or value, of a select with this placeholder or custom id."""
        self._sees(message)
        found = next((one for one in message.selects if which in (one["custom_id"], one.get("placeholder"))), None)
        if found is None or found.get("disabled"):
            raise LookupError(f"no select {which!r} to use")
        return self._use(message, found, values=chosen(found, [*values]))

    async def submit(
        self, opened: Asked, values: Mapping[str, Any] | None = None, *, files: Sequence[Upload] = ()
    ) -> Asked:
        """Fill in the modal that an interaction opened, and send it."""
        if opened.modal is None:
            raise LookupError("no modal is open")
        resolved: Json = {}
        limit = opened.limit

        def keep(upload: Upload) -> Attachment:
            return self._upload(upload, limit)

        components = fill(opened.modal, values or {}, [*files], keep, lambda *one: self._resolve(resolved, *one))
        data: Json = {"custom_id": opened.modal["custom_id"], "components": components}
        data |= {"resolved": resolved} if resolved else {}
        return self._ask(Asking.MODAL, data, opened.channel, source=opened.source, opened_by=opened)

    async def say(
        self,
        content: str = "",
        *,
        in_: Channel | None = None,
        attachments: Sequence[Upload] = (),
        mentions: Sequence[User | Role] = (),
        reply_to: Message | None = None,
        ping: bool = True,
        forward: Message | None = None,
        embeds: Sequence[Json] = (),
    ) -> Message:
        """Write a message. ping: whether a reply notifies the other's author; embeds: as Discord makes of links."""
        channel = in_ or (reply_to.channel if reply_to else self._fake.channel)
        answered = reply_to or forward
        fields = reply_or_forward(answered, forward=forward is not None) if answered else {}
        body = {
            "content": " ".join([*(one.mention for one in mentions), content]).strip(),
            "embeds": [*embeds],
            "allowed_mentions": {"parse": ["users", "roles"], "replied_user": ping},
        }
        parts = [Part(str(index), one.filename, one.data) for index, one in enumerate(attachments)]
        limit = self._fake.file_limit(channel.guild)
        return post(self._fake, channel, self.user, body, parts, limit=limit, **fields)

    async def delete(self, message: Message) -> None:
        self._fake.vanish(message)

    def _known(self, name: str, kind: int, channel: Channel) -> Json:
        """The command as this person is offered it here."""
        command = self._fake.commands.find(name, kind, channel.guild.id if channel.guild else None)
        if command is None:
            raise LookupError(f"nothing is called {name!r}; was it synced?")
        context = {Kind.DM: 1, Kind.GROUP_DM: 2}.get(channel.kind, 0)
        if command["contexts"] is not None and context not in command["contexts"]:
            raise LookupError(f"{name!r} is not offered in a context of type {context}")
        if not self._owners(channel, command):
            raise LookupError(f"{name!r} is not offered here: the app is neither in the server nor with this person")
        return command

    def _owners(self, channel: Channel, command: Json | None) -> Json:
        """Who brought the app here: 0, the server (or "0" for the bot's own conversation); 1, this person."""
        types = command["integration_types"] if command else [0, 1]
        owners: Json = {}
        if 0 in types and channel.guild and self._fake.bot.id in channel.guild.members:
            owners["0"] = channel.guild.id
        elif 0 in types and channel.kind is Kind.DM:
            owners["0"] = "0"
        if 1 in types and self.user.id in self._fake.installed_by:
            owners["1"] = self.user.id
        return owners

    def _command(self, line: str, values: Mapping[str, Any], channel: Channel, asking: Asking) -> tuple[Json, Json]:
        name, *path = line.removeprefix("/").split(" ")
        command = self._known(name, SLASH, channel)
        options, wrapped = options_of(command, path)
        if asking is Asking.AUTOCOMPLETE:
            options = [{"name": one["name"], "type": one["type"]} for one in options]  # still being typed: no limits
        resolved: Json = {}
        limit = self._fake.file_limit(channel.guild)
        bound = bind(
            options, values, lambda file: self._upload(file, limit), lambda *one: self._resolve(resolved, *one)
        )
        data: Json = {"id": command["id"], "name": name, "type": SLASH, "options": wrapped(bound)}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return command, data | ({"resolved": resolved} if resolved else {})

    def _upload(self, upload: Upload, limit: int) -> Attachment:
        if len(upload.data) > limit:
            raise ValueError(f"{upload.filename} is larger than {limit} bytes: the client does not send it")
        fake = self._fake
        return fake.cdn.keep(fake.snowflake(), fake.bot.id, upload.filename, upload.data, ephemeral=True)

    def _resolve(self, resolved: Json, kind: str, thing: Attachment | User | Channel | Role) -> None:
        match thing:
            case Attachment():
                shown = attachment_json(thing, self._fake.cdn)
            case User():
                shown = user_json(thing)
            case Role():
                shown = role_json(thing)
            case _:
                shown = {**channel_json(thing), "permissions": str(permissions(self.user, thing))}
        resolved.setdefault(kind, {})[thing.id] = shown
        guild: Guild = self._fake.guild
        if isinstance(thing, User) and thing.id in guild.members:
            member = {**member_json(guild.members[thing.id], with_user=False), "permissions": "0"}
            resolved.setdefault("members", {})[thing.id] = member

    def _sees(self, message: Message) -> None:
        if message.id not in message.channel.posts:
            raise LookupError("the message is deleted")
        if message.only_for is not None and message.only_for is not self.user:
            raise LookupError(f"only {message.only_for.name} sees this message")

    def _use(self, message: Message, component: Json, **more: Any) -> Asked:
        data = {"custom_id": component["custom_id"], "component_type": component["type"], "id": component["id"], **more}
        return self._ask(Asking.COMPONENT, data, message.channel, source=message)

    def _ask(
        self,
        asking: Asking,
        data: Json,
        channel: Channel,
        *,
        command: Json | None = None,
        source: Message | None = None,
        opened_by: Asked | None = None,
    ) -> Asked:
        fake, guild = self._fake, channel.guild
        inside = guild is not None and fake.bot.id in guild.members
        payload: Json = {
            "id": fake.snowflake(),
            "application_id": fake.bot.id,
            "type": int(asking),
            "token": secrets.token_urlsafe(96),
            "version": 1,
            "channel_id": channel.id,
            "channel": {**channel_json(channel), "permissions": str(permissions(self.user, channel))},
            "data": data,
            "locale": self.user.locale,
            "app_permissions": str(permissions(fake.bot, channel) if inside or guild is None else EVERYONE),
            "entitlements": [],
            "authorizing_integration_owners": self._owners(channel, command),
            "context": {Kind.DM: 1, Kind.GROUP_DM: 2}.get(channel.kind, 0),
            "attachment_size_limit": fake.file_limit(guild),
        }
        if guild:
            member = acting_member_json(guild, guild.members[self.user.id], channel)
            payload |= {"guild_id": guild.id, "guild_locale": guild.locale, "member": member}
            payload["guild"] = {"id": guild.id, "locale": guild.locale, "features": []}
        else:
            payload["user"] = user_json(self.user)
        if source:
            payload["message"] = message_json(source, fake.cdn)
        asked = Asked(fake, payload, self.user, channel, source=source, opened_by=opened_by)
        fake.interactions.add(asked)
        fake.tell(Event("INTERACTION_CREATE", payload, guild))
        return asked
