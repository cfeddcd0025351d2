"""Presses and choices on cards: what the app is told, and what the person sees of its answer."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulators.feishu import reading
from tests.simulators.feishu.contents import judge_card
from tests.simulators.feishu.model import Message, Toast, User
from tests.simulators.feishu.pushing import CARD_ACTION
from tests.simulators.feishu.wire import Json, Refused

if TYPE_CHECKING:
    from tests.simulators.feishu.fake import FakeFeishu

TOKEN_LASTS, TOKEN_USES = 1800.0, 2
USABLE = 14 * 86_400.0  # seconds in which a card of JSON 2.0 can be used
TOASTS = frozenset(("info", "success", "warning", "error"))


@dataclass(slots=True)
class _Token:
    message: Message
    at: float
    answered: bool = False
    uses: int = TOKEN_USES


class Presses:
    """within: seconds in which an answer has to come."""

    def __init__(self, fake: "FakeFeishu") -> None:
        self.fake = fake
        self.within = 3.0
        self._tokens: dict[str, _Token] = {}

    async def tell(self, user: User, message: Message, action: Json) -> Toast | None:
        """Push it once, as the platform does, and show what the answer says."""
        fake = self.fake
        if CARD_ACTION not in fake.subscribed:
            fake.complaints.append("a press, but the app did not subscribe to card callbacks (200340)")
            return None
        token = f"c-{secrets.token_hex(20)}"
        self._tokens[token] = record = _Token(message, fake.clock())
        event = {
            "operator": {
                "tenant_key": fake.tenant,
                "user_id": None,
                "open_id": user.open_id,
                "union_id": user.union_id,
            },
            "token": token,
            "action": {"timezone": "Asia/Shanghai", **action},
            "host": "im_message",
            "context": {"open_message_id": message.id, "open_chat_id": message.chat.id},
        }
        push = fake.pushing.new(CARD_ACTION, event)
        fake.pushing.send(push)
        ack = await fake.pushing.answered(push, within=self.within)
        if ack is None or ack.after > self.within:
            fake.complaints.append(f"a press was not answered within {self.within} s (200340)")
            return None
        record.answered = True
        if not 200 <= ack.code < 300:
            fake.complaints.append(f"a press was answered with {ack.code} (200341)")
            return None
        return self._shown(message, ack.data)

    def spend(self, token: str) -> Message:
        """One of the delayed updates that a press allows."""
        found = self._tokens.get(token)
        if found is None or self.fake.clock() - found.at > TOKEN_LASTS or not found.uses:
            raise Refused(300030, "token is invalid or used up")
        if not found.answered:
            raise Refused(300030, "the callback is not answered yet")
        found.uses -= 1
        return found.message

    def _shown(self, message: Message, answer: Any) -> Toast | None:
        fake = self.fake
        if not answer:
            return None
        if not isinstance(answer, dict) or not answer.keys() <= {"toast", "card"}:
            fake.complaints.append(f"the answer to a press is {answer!r:.80} (200672)")
            return None
        card = self._replaced(message, answer.get("card"))
        toast: Any = answer.get("toast")
        match toast:
            case None:
                return None
            case {"type": str() as kind, "content": str() as content, **more} if kind in TOASTS:
                i18n: Any = more.get("i18n") or {}
                return Toast(kind=kind, content=content, i18n=i18n, card=card)
            case wrong:
                fake.complaints.append(f"a toast cannot be {wrong!r}")
                return None

    def _replaced(self, message: Message, part: Any) -> Json | None:
        match part:
            case None:
                return None
            case {"type": "raw", "data": dict() as card, **more} if not more:
                try:
                    judge_card(self.fake, card)
                except Refused as refused:
                    self.fake.complaints.append(f"the card in an answer to a press: {refused}")
                    return None
                self.fake.show_card(message, card)
                return card
        self.fake.complaints.append(f"the answer's card cannot be {part!r:.80}")
        return None


def find(message: Message, which: str, *, tags: tuple[str, ...]) -> Json:
    """The one component of these kinds with this label, placeholder or name."""
    if message.gone:
        raise LookupError("the message is gone")
    parts = [one for one in message.parts if one.get("tag") in tags]
    found = [one for one in parts if which in _called(one)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} of {tags} are called {which!r}; there are {[_called(one) for one in parts]}")
    if found[0].get("disabled"):
        raise LookupError(f"{which!r} is switched off")
    return found[0]


def form_around(message: Message, part: Json) -> Json | None:
    forms = [one for one in message.parts if one.get("tag") == "form"]
    return next((one for one in forms if any(inner is part for inner in reading.walk(one["elements"]))), None)


def callback(part: Json) -> Json | None:
    """What the component's callback carries; None where it has none."""
    for one in part.get("behaviors", []):
        if one["type"] == "callback":
            value: Json = one["value"]
            return value
    return None


def filled(form: Json, values: Mapping[str, Any]) -> Json:
    """The form's values as they are sent: what was filled in over what stood there."""
    inputs = {one["name"]: one for one in reading.walk(form["elements"]) if one.get("tag") in _INPUTS}
    unknown = values.keys() - inputs.keys()
    if unknown:
        raise LookupError(f"the form has no {sorted(unknown)}; it has {sorted(inputs)}")
    sent: Json = {}
    for name, one in inputs.items():
        value = _entered(one, values[name]) if name in values else _initial(one)
        if value in (None, "", []) and one.get("required"):
            raise LookupError(f"{name} has to be filled in")
        if value is not None:
            sent[name] = value
    return sent


_INPUTS = ("input", "select_static", "multi_select_static")


def option_value(select: Json, wanted: str) -> str:
    """The value of an option that is called this, or has this value."""
    for option in select["options"]:
        if wanted in (reading.words(option["text"]), option["value"]):
            return str(option["value"])
    raise LookupError(f"no option {wanted!r}; there are {[reading.words(one['text']) for one in select['options']]}")


def _called(part: Json) -> tuple[str, ...]:
    names = (reading.label(part), reading.words(part.get("placeholder")), part.get("name", ""))
    return tuple(one for one in names if one)


def _entered(part: Json, value: Any) -> Any:
    if part.get("disabled"):
        raise LookupError(f"{part['name']} is switched off")
    match part["tag"]:
        case "input":
            if len(value) > part.get("max_length", 1000):
                raise ValueError(f"{part['name']} takes {part.get('max_length', 1000)} characters, not {len(value)}")
            return value
        case "select_static":
            return option_value(part, value)
    return [option_value(part, one) for one in value]


def _initial(part: Json) -> Any:
    """What an input sends that nobody touched; a select without a choice is taken to send nothing."""
    match part["tag"]:
        case "input":
            return part.get("default_value", "")
        case "select_static":
            if "initial_option" in part:
                return option_value(part, part["initial_option"])
            index = part.get("initial_index", 0)
            return part["options"][index - 1]["value"] if index else None
    return part.get("selected_values")
