"""Every word of the page, for a viewer's language. `PAGE` is for the templates, `SCRIPT` for the browser's code."""

from collections.abc import Mapping
from string import Formatter

from bot.chat import Picture
from bot.i18n import Text, say, text

WELCOME = text(
    "Hello! I draw and change pictures. Say what you would like to see, type / for the commands, "
    "or reply to a picture and tell me what to change."
)

NOT_A_PICTURE = text("{name} is not a picture that I can read.")
TOO_LARGE = text("{name} is larger than {most} MiB.")
TOO_LONG = text("This is longer than {most} characters.")
MESSAGE_GONE = text("The message that you reply to is no longer there.")
NO_SUCH_ROOM = text("There is no such room.")
NO_SUCH_PERSON = text("Nobody is called that here.")
NOT_UNDERSTOOD = text("I did not understand what the page sent. Please reload it.")
EMPTY = text("There is nothing to send.")

PAGE: Mapping[str, Text] = {
    "demo": text("No account, no key: pictures are placeholders drawn on this machine."),
    "people": text("Talk as"),
    "rooms": text("Rooms"),
    "direct": text("Direct message"),
    "sidebar": text("People and rooms"),
    "open_sidebar": text("Show people and rooms"),
    "close_sidebar": text("Close people and rooms"),
    "messages": text("Messages"),
    "bot": text("bot"),
    "admin": text("admin"),
    "private": text("Only you can see this"),
    "dismiss": text("Dismiss"),
    "reply": text("Reply"),
    "copy_line": text("Copy the command for this picture"),
    "happened": text("What happened"),
    "nothing_happened": text("Nothing is on record."),
    "loading": text("Loading…"),
    "earlier": text("Show earlier messages"),
    "placeholder": text("What should I draw?"),
    "composer": text("Message"),
    "attach": text("Add pictures"),
    "send": text("Send"),
    "hint": text("Type / for commands. Shift+Enter starts a new line. Drop or paste pictures anywhere."),
    "tray": text("Pictures to send"),
    "commands": text("Commands"),
    "replying": text("Replying to {person}"),
    "cancel_reply": text("Do not reply to this message"),
    "language": text("Language"),
    "theme": text("Colours"),
    "theme_system": text("As the system"),
    "theme_light": text("Light"),
    "theme_dark": text("Dark"),
    "viewer": text("Picture"),
    "close": text("Close"),
    "previous": text("Previous picture"),
    "next": text("Next picture"),
    "zoom": text("Actual size"),
    "save": text("Save"),
    "cancel": text("Cancel"),
    "which": text("Which picture"),
    "drop": text("Drop the pictures to add them"),
    "reconnecting": text("Reconnecting…"),
    "newest": text("New messages"),
    "welcome_draw": text("Draw a fox in the snow"),
    "welcome_draw_line": text("/imagine a fox in the snow at first light --ratio 16:9"),
    "welcome_edit": text("Edit this picture"),
    "welcome_edit_line": text("make it a winter evening with lights in the windows"),
    "welcome_quota": text("Show my quota"),
    "welcome_quota_line": text("/quota"),
    "welcome_tip": text("You can also drop a picture of your own anywhere."),
    "left": text("What is left for you"),
    "switches": text("Try faults and dates"),
    "provider": text("The provider"),
    "clock": text("The bot's clock"),
    "clock_day": text("+1 day"),
    "clock_month": text("+1 month"),
    "clock_now": text("Now"),
    "dashboard": text("Dashboard"),
    "gone": text("This picture is no longer kept."),
}

FAULTS: Mapping[str, Text] = {
    "none": text("works as it should"),
    "busy": text("is busy (429)"),
    "failing": text("fails (500)"),
    "refuse_words": text("refuses the words"),
    "refuse_result": text("refuses the result"),
    "slow": text("is slow"),
    "silent": text("never answers"),
}

SCRIPT: Mapping[str, Text] = {
    "copied": text("Copied."),
    "not_copied": text("The browser does not let me copy. Here it is: {line}"),
    "unsent": text("Not sent: the bot does not answer. Your message is still here; please send it again."),
    "unsent_press": text("The bot does not answer just now. Please try again."),
    "refused": text("Not sent: {reason}"),
    "too_long": TOO_LONG,
    "say_what": text("Say what to draw, or what to change in the picture."),
    "dismiss": text("Dismiss"),
    "removed": text("Removed {name}"),
    "added": text("Added {name}"),
    "remove": text("Remove {name}"),
    "send": text("Send"),
    "hold_back": text("Do not send yet"),
    "wait_upload": text("This is sent as soon as the pictures have arrived. Esc or the button stops it."),
    "wait_before": text("This is sent as soon as the message before it has arrived. Esc or the button stops it."),
    "wait_ended": text("Not sent. Your message is still here."),
    "upload_failed": text("{name} did not get through. Please add it again."),
    "upload_busy": text("On its way"),
    "no_files": text("There is no file in this. Drop pictures."),
    "too_many": text("At most {most} pictures go into one message."),
    "too_large": TOO_LARGE,
    "delete_sure": text("This cannot be undone."),
    "replying": text("Replying to {person}"),
    "options": text("Options"),
    "suggestions": text("Suggestions: {count}"),
    "fit": text("Fit to window"),
    "zoom": text("Actual size"),
    "offline": text("Reconnecting…"),
    "today": text("Today"),
}


def page_words(language: str) -> dict[str, str]:
    return {name: _pattern(words, language) for name, words in PAGE.items()}


def script_words(language: str) -> dict[str, str]:
    """With their places left open, for the browser to fill."""
    return {name: _pattern(words, language) for name, words in SCRIPT.items()}


def _pattern(words: Text, language: str) -> str:
    places = [name for _, name, _, _ in Formatter().parse(words.message) if name]
    return say(Text(words.message, {name: f"{{{name}}}" for name in places}), language)


def alternative(picture: Picture, number: int, count: int) -> Text:
    """What a screen reader says for a picture."""
    if not picture.alt:
        return text("Picture {number} of {count}", number=number, count=count)
    if count == 1:
        return text("Picture: {words}", words=picture.alt)
    return text("Picture {number} of {count}: {words}", number=number, count=count, words=picture.alt)
