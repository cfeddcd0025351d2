"""What Feishu's error codes mean for us, and what an operator can do about them.

The numbers are the contract of the open platform's documents: a code that is not in the table is `OTHER`, which says
nothing about whether trying again helps.
"""

import re
from enum import Enum, auto

from bot.i18n import Text, text


class Kind(Enum):
    """What a refusal calls for."""

    WAIT = auto()  # too many at once: the same a little later
    TOKEN = auto()  # the token is no longer good: the same with a new one
    CREDENTIALS = auto()  # app id and secret do not belong together
    SCOPE = auto()  # the app was not granted this
    CAPABILITY = auto()  # the app has no bot switched on
    FORBIDDEN = auto()  # not in this chat, or the chat's own settings
    OUT_OF_RANGE = auto()  # the app is not there for this person
    SENSITIVE = auto()  # Feishu does not take this content, whoever sends it
    GONE = auto()  # the message, topic or file is not there any more, or too old to be changed
    NOT_OURS = auto()  # a picture that this app did not upload
    TOO_LARGE = auto()
    OURS = auto()  # a fault in what we sent
    OTHER = auto()


CARD = 230099  # whatever is wrong with it
NO_CONTACT = 41050  # of this person nothing may be read
NO_PERMISSION = 230027  # for what was asked of a message
_CODES = {
    Kind.WAIT: (99991400, 230020, 11232),
    Kind.TOKEN: (99991661, 99991663, 99991664, 99991668, 99991671, 99991677),
    Kind.CREDENTIALS: (10003, 10014),
    Kind.SCOPE: (99991672, 99991679, NO_PERMISSION),
    Kind.CAPABILITY: (11205, 230006, 234007),
    Kind.FORBIDDEN: (230002, 230018, 230035, 230045, 232009, 232011, 234004),
    Kind.OUT_OF_RANGE: (230013, 230053, NO_CONTACT),
    Kind.SENSITIVE: (230022, 230028),
    Kind.GONE: (230011, 231003, 230019, 230031, 230050, 230110, 234003),
    Kind.NOT_OURS: (230017, 234008),
    Kind.TOO_LARGE: (234006, 230025, 234037, 234039),
    Kind.OURS: (230001, CARD, 99992402, 234001, 234010, 234011),
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes}
# The words of a refused card tell of pictures that are not known.
_NO_SUCH_PICTURE = re.compile(r"ErrCode: 200570|im(?:g|age).?key", re.IGNORECASE)
# Only addresses of the platform itself are handed on: an answer could name any other.
_GRANT = re.compile(r"https://open\.(?:feishu\.cn|larksuite\.com|larkoffice\.com)/app/[\w/?&=:.,%+-]+")
_TOKEN = re.compile(r"\b[atu]-[\w.-]{12,}")
_SCOPE = r"[a-z]\w*(?::\w+(?:\.\w+)*)+"
# `…is required: [one, another]` or `ext=need scope: one`.
_SCOPES = re.compile(rf"(?:\[|need scopes?: *)\s*({_SCOPE}(?:\s*,\s*{_SCOPE})*)")


class Refused(Exception):
    """Feishu said no. Its words stay out of the text of this exception, as they may repeat what was sent.

    code: Feishu's own; 0 where there is only the HTTP status. log_id: by which Feishu finds the request again.
    retry_after: seconds, where it said so. sent: an earlier attempt of the same request may have been done.
    """

    def __init__(
        self, *, status: int, code: int, msg: str = "", log_id: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"code {code}, HTTP {status}, log_id {log_id or 'none'}")
        self.status = status
        self.code = code
        self.msg = _TOKEN.sub("…", msg)
        self.log_id = log_id
        self.retry_after = retry_after
        self.sent = False

    @property
    def kind(self) -> Kind:
        if self.code == CARD and _NO_SUCH_PICTURE.search(self.msg):
            return Kind.NOT_OURS
        by_status = {429: Kind.WAIT, 413: Kind.TOO_LARGE}.get(self.status, Kind.OTHER)
        return _KINDS.get(self.code, by_status)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Of which one would have been enough, as Feishu named them."""
        found = _SCOPES.search(self.msg) if self.kind is Kind.SCOPE else None
        return tuple(name.strip() for name in found[1].split(",")) if found else ()

    @property
    def grant(self) -> str:
        """The page of the developer console on which they can be granted, "" where Feishu named none."""
        found = _GRANT.search(self.msg) if self.kind is Kind.SCOPE else None
        return found[0] if found else ""


class Unreachable(Exception):
    """Feishu is not to be reached, fails, or what came is not its answer.

    sent: the request may have been done all the same. retry_after: seconds, where it said so.
    """

    def __init__(self, why: str = "", *, sent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(f"Feishu cannot be reached{': ' if why else ''}{why}")
        self.why = why
        self.sent = sent
        self.retry_after = retry_after


def advice(refused: Refused) -> Text | None:
    """What the operator can do, None where it is nothing for the operator."""
    match refused.kind:
        case Kind.CREDENTIALS:
            return text("Feishu does not know this app id with this secret. Check BOT_FEISHU__APP_ID and __APP_SECRET.")
        case Kind.CAPABILITY:
            return text("Switch the bot on in Feishu's developer console under Features, and publish a version.")
        case Kind.SCOPE if refused.scopes and refused.grant:
            return text(
                "Grant one of these scopes, then publish a version: {scopes}. {link}",
                scopes=refused.scopes,
                link=refused.grant,
            )
        case Kind.SCOPE if refused.scopes:
            return text("Grant one of these scopes, then publish a version: {scopes}.", scopes=refused.scopes)
        case Kind.SCOPE if refused.code == NO_PERMISSION:
            return text(
                "A scope is missing: for other people's messages in a group it is im:message.group_msg, for all else "
                "`seedream-bot doctor` says which. Grant it, then publish a version."
            )
        case Kind.SCOPE:
            return text("A scope is missing: `seedream-bot doctor` says which. Grant it, then publish a version.")
        case Kind.OUT_OF_RANGE if refused.code == NO_CONTACT:
            return text(
                "Put this person into the range of contacts that the app may see, in Feishu's developer console, then "
                "publish a version."
            )
        case _:
            return None
