"""What the adapter itself says to people when something comes in."""

from bot.i18n import Text, plural, text

GONE = text("The message that you reply to is no longer there.")
NOT_SEEN = text("The message that you reply to cannot be looked at just now. Please try again.")
HIDDEN = text(
    "I may not look at other people's messages in this group. Send the picture and your words in one message and "
    "mention me in it, or send me the picture directly. Whoever runs me can also allow it, by granting "
    "im:message.group_msg."
)
FORWARDED = text("I cannot take pictures out of forwarded messages. Please send the picture itself.")
IN_A_CARD = text("I cannot take pictures out of this card. Please send the picture itself.")

PICTURE_GONE = text("The picture is no longer there. Please send it again.")
PICTURE_HIDDEN = text("I may not open the pictures of this chat. Please send the picture to me directly.")
PICTURE_LATE = text("The picture could not be fetched from Feishu. Please try again.")

TAKEN = text("I take words, pictures, and both in one message. Write what I shall draw; /help shows more.")
NOT_TAKEN = text("This could not be taken up just now. Please try again in a moment.")
ON_IT = text("On it.")
ANSWERED_ALONE = text("This is for you alone: I have written to you directly.")

WELCOME = text(
    "Thank you for having me. I draw and change pictures. Three steps:\n"
    "1. Mention me and say what you would like to see.\n"
    "2. To change a picture, reply to mine with a mention of me, or send yours and your words in one message.\n"
    "3. Write to me directly for what is not for all to see. /help lists everything."
)


def what_to_do(pictures: int) -> Text:
    """Asked about pictures that came without words."""
    return plural(
        "What shall I do with the picture? Just write it.",
        "What shall I do with the {count} pictures? Just write it.",
        pictures,
    )
