"""What happened to a generation, in words: for the curious and for whoever asks why."""

from collections.abc import Sequence
from datetime import datetime

from bot.clock import moment
from bot.i18n import Text, text, verbatim
from bot.storage.connection import Connection


def happened(connection: Connection, generation: str) -> Sequence[tuple[datetime, Text, Text]]:
    """Time, what, and a detail (may be empty), in order."""
    rows = connection.rows("SELECT at, kind, detail FROM events WHERE generation=:id ORDER BY seq", id=generation)
    return [
        (moment(row["at"]), _KINDS.get(row["kind"], verbatim(row["kind"])), _detail(row["kind"], row["detail"]))
        for row in rows
    ]


def _detail(kind: str, detail: str) -> Text:
    match kind:
        case "sending" if " " in detail:
            number, _, provider = detail.partition(" ")
            return text("request {number}, {provider}", number=int(number) + 1, provider=provider)
        case "sending" | "submitted" | "lost in the stop" | "done before the stop":
            return text("request {number}", number=int(detail) + 1)
        case "produced":
            return text("picture {number}", number=int(detail) + 1)
        case _:
            return verbatim(detail)


_KINDS = {
    "asked": text("asked about the price; nothing held"),
    "accepted": text("accepted: quota held, in line"),
    "admitted": text("its turn"),
    "sending": text("sending to the provider"),
    "submitted": text("the provider took it"),
    "produced": text("a picture came and was stored"),
    "job done": text("the provider's answer is complete"),
    "job failed": text("the provider said no"),
    "job unknown": text("no certain answer"),
    "job ready": text("the provider took nothing"),
    "given up": text("given up after too many tries"),
    "put back": text("back in line, to be tried again"),
    "settled": text("settled: charged for what was made"),
    "failed": text("failed: everything given back"),
    "refused": text("refused: everything given back"),
    "cancelled": text("cancelled: everything given back"),
    "cancel asked": text("asked to stop"),
    "unknown": text("outcome unknown: pictures given back"),
    "lost in the stop": text("lost when the bot was stopped"),
    "done before the stop": text("its picture was stored before the bot stopped"),
    "charged": text("the unknown outcome was charged to the pools"),
    "released": text("the unknown outcome was given back"),
    "review asked": text("an admin is asked whether it may be seen"),
    "review approved": text("an admin approved it"),
    "review refused": text("an admin refused it"),
    "review released": text("reviews were switched off; it is shown"),
    "deleted": text("deleted"),
    "cleaned": text("its picture was cleaned up"),
}
