"""Routes that answer an interaction: the callback, follow-ups, and the messages they made."""

from tests.simulators.discord.interactions import Ack, Asked
from tests.simulators.discord.render import message_json
from tests.simulators.discord.rest import Call, Routes
from tests.simulators.discord.wire import Code, Json, Refused


async def callback(call: Call) -> Json | None:
    asked = call.fake.interactions.to_acknowledge(call.params["interaction_id"], call.params["interaction_token"])
    asked.acknowledge(call.body, call.parts)
    if call.query.get("with_response") not in ("1", "true"):
        return None
    said: Json = {"id": asked.id, "type": int(asked.type)}
    answer: Json = {"interaction": said}
    if asked.original:
        said |= {"response_message_id": asked.original.id, "response_message_loading": asked.original.loading}
        said["response_message_ephemeral"] = asked.original.ephemeral
        if asked.ack in (Ack.MESSAGE, Ack.UPDATE):
            shown = message_json(asked.original, call.fake.cdn)
            answer["resource"] = {"type": int(asked.ack), "message": shown}
    return answer


def _asked(call: Call) -> Asked:
    if call.params["webhook_id"] != call.fake.bot.id:
        raise Refused(Code.UNKNOWN_WEBHOOK)
    return call.fake.interactions.alive(call.params["webhook_token"])


async def follow_up(call: Call) -> Json:
    return message_json(_asked(call).follow_up(call.body, call.parts), call.fake.cdn)


async def get(call: Call) -> Json:
    return message_json(_asked(call).message(call.params.get("message_id", "@original")), call.fake.cdn)


async def change(call: Call) -> Json:
    asked = _asked(call)
    message = asked.message(call.params.get("message_id", "@original"))
    return message_json(asked.change(message, call.body, call.parts), call.fake.cdn)


async def delete(call: Call) -> None:
    asked = _asked(call)
    call.fake.vanish(asked.message(call.params.get("message_id", "@original")))
    asked.signal.touch()


_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
ROUTES: Routes = [
    ("POST", "/interactions/{interaction_id}/{interaction_token}/callback", callback),
    ("POST", _WEBHOOK, follow_up),
    # Before the route with an id, which would take "@original" for one.
    ("GET", f"{_WEBHOOK}/messages/@original", get),
    ("PATCH", f"{_WEBHOOK}/messages/@original", change),
    ("DELETE", f"{_WEBHOOK}/messages/@original", delete),
    ("GET", f"{_WEBHOOK}/messages/{{message_id}}", get),
    ("PATCH", f"{_WEBHOOK}/messages/{{message_id}}", change),
    ("DELETE", f"{_WEBHOOK}/messages/{{message_id}}", delete),
]
