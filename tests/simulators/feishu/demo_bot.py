"""A bot on the unmodified lark-oapi, in a process of its own: the SDK's client has no way to be stopped.

It answers each message by a card with its words and a button, shows every picture that it gets, and toasts at presses.
    python -m tests.simulators.feishu.demo_bot URL APP_ID APP_SECRET
"""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import lark_oapi as lark
from lark_oapi.api.im import v1 as im
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTrigger, P2CardActionTriggerResponse

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bot:
    client: lark.Client

    def hears(self, event: im.P2ImMessageReceiveV1) -> None:
        message = event.event.message
        match message.message_type:
            case "text":
                self._reply(message.message_id, _card({"tag": "plain_text", "content": _words(message)}))
            case "image":
                key = self._again(message.message_id, json.loads(message.content)["image_key"])
                self._reply(message.message_id, _card(picture=key))

    def pressed(self, event: P2CardActionTrigger) -> P2CardActionTriggerResponse:
        action = event.event.action
        toast = {"type": "info", "content": f"{action.value['do']} {action.form_value or ''}".strip()}
        return P2CardActionTriggerResponse({"toast": toast})

    def _reply(self, message_id: str, card: Json) -> None:
        body = im.ReplyMessageRequestBody.builder().msg_type("interactive").content(json.dumps(card)).uuid(message_id)
        request = im.ReplyMessageRequest.builder().message_id(message_id).request_body(body.build()).build()
        _good(self.client.im.v1.message.reply(request))

    def _again(self, message_id: str, key: str) -> str:
        """The key under which this bot may show somebody's picture."""
        wanted = im.GetMessageResourceRequest.builder().message_id(message_id).file_key(key).type("image").build()
        file = io.BytesIO(_good(self.client.im.v1.message_resource.get(wanted)).file.read())
        file.name = "picture.png"
        body = im.CreateImageRequestBody.builder().image_type("message").image(file).build()
        uploaded = self.client.im.v1.image.create(im.CreateImageRequest.builder().request_body(body).build())
        return str(_good(uploaded).data.image_key)


def main(url: str, app_id: str, app_secret: str) -> None:
    client = lark.Client.builder().app_id(app_id).app_secret(app_secret).domain(url).build()
    bot = Bot(client)
    handler = (
        lark.EventDispatcherHandler.builder("", "")
        .register_p2_im_message_receive_v1(bot.hears)
        .register_p2_card_action_trigger(bot.pressed)
        .build()
    )
    lark.ws.Client(app_id, app_secret, event_handler=handler, domain=url, log_level=lark.LogLevel.WARNING).start()


def _words(message: Any) -> str:
    return str(json.loads(message.content)["text"])


def _card(words: Json | None = None, *, picture: str = "") -> Json:
    shown: Json = {"tag": "div", "text": words}
    if picture:
        shown = {"tag": "img", "img_key": picture, "alt": {"tag": "plain_text", "content": ""}}
    again = {"type": "callback", "value": {"do": "again"}}
    button = {"tag": "button", "text": {"tag": "plain_text", "content": "Again"}, "behaviors": [again]}
    return {"schema": "2.0", "body": {"elements": [shown, button]}}


def _good(response: Any) -> Any:
    if response.code:
        raise RuntimeError(f"{response.code} {response.msg}")
    return response


if __name__ == "__main__":
    main(*sys.argv[1:])
