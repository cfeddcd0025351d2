"""How Discord says no: one exception that carries the status, Discord's own code and the path of a wrong field.

The codes stand in Discord's "Opcodes and Status Codes".
"""

from enum import Enum
from typing import Any

Json = dict[str, Any]


class Code(Enum):
    """HTTP status, Discord's code, and what stands beside it."""

    GENERAL = 400, 0, "400: Bad Request"
    UNAUTHORIZED = 401, 0, "401: Unauthorized"
    NOT_FOUND = 404, 0, "404: Not Found"
    UNKNOWN_APPLICATION = 404, 10002, "Unknown Application"
    UNKNOWN_CHANNEL = 404, 10003, "Unknown Channel"
    UNKNOWN_GUILD = 404, 10004, "Unknown Guild"
    UNKNOWN_MEMBER = 404, 10007, "Unknown Member"
    UNKNOWN_MESSAGE = 404, 10008, "Unknown Message"
    UNKNOWN_USER = 404, 10013, "Unknown User"
    UNKNOWN_WEBHOOK = 404, 10015, "Unknown Webhook"
    UNKNOWN_INTERACTION = 404, 10062, "Unknown interaction"
    UNKNOWN_COMMAND = 404, 10063, "Unknown application command"
    TOO_MANY_OLD_EDITS = 429, 30046, "Maximum number of edits to messages older than 1 hour reached. Try again later."
    TOO_LARGE = 413, 40005, "Request entity too large"
    ALREADY_ACKNOWLEDGED = 400, 40060, "Interaction has already been acknowledged."
    TOO_MANY_FOLLOW_UPS = 400, 40094, "This interaction has hit the maximum number of follow up messages."
    MISSING_ACCESS = 403, 50001, "Missing Access"
    NOT_YOUR_MESSAGE = 403, 50005, "Cannot edit a message authored by another user"
    EMPTY_MESSAGE = 400, 50006, "Cannot send an empty message"
    CANNOT_DM = 403, 50007, "Cannot send messages to this user"
    MISSING_PERMISSIONS = 403, 50013, "Missing Permissions"
    INVALID_TOKEN = 401, 50027, "Invalid Webhook Token"
    ARCHIVED = 400, 50083, "Thread is archived"
    INVALID_FORM = 400, 50035, "Invalid Form Body"
    NO_HISTORY = 400, 160002, "Cannot reply without permission to read message history"
    HAS_THREAD = 400, 160004, "A thread has already been created for this message"


class Refused(Exception):
    """An answer that is an error, as Discord's clients understand it."""

    def __init__(self, code: Code, errors: Json | None = None) -> None:
        self.status, number, message = code.value
        super().__init__(message)
        self.code = code
        self.body: Json = {"message": message, "code": number} | ({"errors": errors} if errors else {})
        if self.status == 429:
            self.body |= {"retry_after": 0.1, "global": False}


def wrong(path: str, code: str, message: str) -> Refused:
    """50035 with the field's path, such as "components.0.custom_id"."""
    node: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(path.split(".")):
        node = {part: node}
    return Refused(Code.INVALID_FORM, node)


def measured(value: object, least: int, most: int, path: str) -> None:
    """Refuse a text whose length is not between these two, both included."""
    if not isinstance(value, str):
        raise wrong(path, "BASE_TYPE_REQUIRED", "This field is required")
    if not least <= len(value) <= most:
        raise wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
