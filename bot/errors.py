"""Everything that can go wrong on purpose.

BotError                    carries the words for the person
├── UsageError              the asking does not fit the command; nothing was held
│   └── NotThere            an unknown, deleted or cleaned generation, picture or message
├── NotAllowed              the person may not do this
├── QuotaExceeded           a limit is short; carries the line of the account that is
├── Unavailable             the bot cannot take this now (draining, full queue, full disk)
├── PictureError            a picture that a person sent cannot be used
└── ProviderError           the provider said no, or nothing
    ├── ContentRefused      moderation, at stage "words", "reference" or "result"; never charged, never retried
    ├── ProviderBusy        certainly not accepted: no connection, a rate code, an overload code; may be sent again
    ├── ProviderRefused     the request does not suit the provider; certainly not billed
    ├── ProviderMisconfigured   key, account or balance: the operator's business; certainly not billed
    │   └── ModelMisconfigured  the same for one model only: its id, or the account may not use it
    ├── AnswerBroken        an answer without a usable picture although the provider has probably billed it
    └── OutcomeUnknown      sent, but no answer: never sent again by itself

CannotStart                 why a command or the bot does not start, in one sentence for the operator
├── Owned                   another process owns the data folder (bot.ops.ownership)
└── SchemaError             the database is from a newer version (bot.storage.schema)
"""

from typing import ClassVar

from bot.i18n import Text, text


class BotError(Exception):
    """An expected failure: `text` is for the person, `detail` for the operator's log."""

    def __init__(self, text: Text, *, detail: str = "") -> None:
        super().__init__(detail or str(text))
        self.text = text
        self.detail = detail


class CannotStart(Exception):
    """A clause without a full stop; commands print it and leave with 1."""


class UsageError(BotError):
    pass


class NotThere(UsageError):
    pass


class NotAllowed(BotError):
    pass


class QuotaExceeded(BotError):
    pass


class Unavailable(BotError):
    pass


class PictureError(BotError):
    pass


class ProviderError(BotError):
    """`kind` is the word stored with the generation; `billed` says what the provider charges for it (None: unknown)."""

    kind: ClassVar[str] = "provider"
    billed: ClassVar[bool | None] = False


class ContentRefused(ProviderError):
    kind = "content"

    def __init__(self, stage: str, *, detail: str = "") -> None:
        words = {
            "words": text("The provider refused these words. Nothing was charged; please say it differently."),
            "reference": text("The provider refused a picture that you gave. Nothing was charged."),
            "result": text("The provider drew a picture but its filter held it back. Nothing was charged."),
        }
        super().__init__(words[stage], detail=detail)
        self.stage = stage


class ProviderBusy(ProviderError):
    kind = "busy"

    def __init__(self, *, retry_after: float | None = None, unreachable: bool = False, detail: str = "") -> None:
        super().__init__(
            text("The provider is busy just now. Nothing was charged; please try again later."), detail=detail
        )
        self.retry_after = retry_after
        self.unreachable = unreachable  # no connection came about: another address may lead there


class ProviderRefused(ProviderError):
    kind = "refused"

    def __init__(self, reason: Text | str, *, detail: str = "") -> None:
        super().__init__(
            text("The provider did not take the request: {reason}. Nothing was charged.", reason=reason), detail=detail
        )


class ProviderMisconfigured(ProviderError):
    kind = "misconfigured"

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(
            text("The bot's own access to the provider does not work; its operator must look. Nothing was charged."),
            detail=detail,
        )


class ModelMisconfigured(ProviderMisconfigured):
    pass


class AnswerBroken(ProviderError):
    kind = "broken"
    billed = None

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(
            text("The provider's answer held no usable picture. Your quota was given back."), detail=detail
        )


class OutcomeUnknown(ProviderError):
    kind = "unknown"
    billed = None

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(
            text(
                "The provider gave no clear answer, so nobody knows whether it drew."
                " Your quota was given back; please ask again."
            ),
            detail=detail,
        )
