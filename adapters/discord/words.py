"""What the adapter itself says to people."""

from bot.i18n import Text, plural, text

EDIT = text("Edit picture")
REFERENCE = text("Use as reference")
DETAILS = text("Details")

NOT_MINE = text("This message shows no picture of mine. Details are there for pictures that I made.")
NO_PICTURE = text("There is no picture in this message.")
FORM_GONE = text("I can no longer see the picture that you chose. Please choose it again in its menu.")
OLD_FORM = text("This form is from another version of the bot. Please open it again.")
NOT_TAKEN = text("This could not be taken up just now. Please ask again in a moment.")
MESSAGE_GONE = text("The message that you reply to is no longer there.")
HIDDEN_PICTURE = text(
    "I may not see the pictures of other people's messages here. Right-click the message, or hold it, choose Apps "
    "and then “Edit picture”."
)
HIDDEN_WORDS = text("I can read a reply only if it mentions me. Mention me in it, or press Edit under the picture.")
NOT_HERE = text("I could not show this here.")
FILE_GONE = text("The picture {name} is no longer there. Please attach it again.")
FILE_LATE = text("The picture {name} could not be fetched from Discord. Please try again.")

WHAT_TO_CHANGE = text("What should change?")
WHAT_TO_DRAW = text("What should I draw?")
MORE_PICTURES = text("More pictures")
MODEL = text("Model")
SIZE = text("Size")
AS_USUAL = text("As usual")

WELCOME = text(
    "Thank you for having me. I draw and change pictures. Three steps:\n"
    "1. Type /imagine and say what you would like to see.\n"
    "2. To change a picture, reply to mine, or right-click any message, choose Apps and then “Edit picture”.\n"
    "3. Who may manage the server sets channels, model and language with /admin. /help lists everything."
)


def lacks(permissions: tuple[Text, ...]) -> Text:
    return text("I lack these permissions here: {permissions}.", permissions=permissions)


def lacks_in(channel: str, permissions: tuple[Text, ...]) -> Text:
    return text(
        "I lack these permissions in {channel}: {permissions}.", channel=f"<#{channel}>", permissions=permissions
    )


def presence(model: str, waiting: int) -> Text:
    """What stands beside the bot's name."""
    if waiting:
        return plural("{count} request in line", "{count} requests in line", waiting)
    return text("Drawing with {model}", model=model)
