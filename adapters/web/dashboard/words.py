"""Every word of the dashboard."""

from collections.abc import Mapping

from bot.i18n import Text, plural, text

PAGES: Mapping[str, Text] = {
    "overview": text("Overview"),
    "pools": text("Pools"),
    "people": text("People"),
    "spend": text("Spend"),
    "queue": text("Queue"),
    "gallery": text("Gallery"),
    "audit": text("Audit log"),
    "health": text("Health"),
    "export": text("Export"),
}

WORDS: Mapping[str, Text] = {
    "dashboard": text("Dashboard"),
    "menu": text("Pages"),
    "open_menu": text("Show the pages"),
    "close_menu": text("Close the pages"),
    "skip": text("Skip to the content"),
    "leave": text("Log out"),
    "until": text("Logged in until"),
    "language": text("Language"),
    "theme": text("Colours"),
    "theme_system": text("As the system"),
    "theme_light": text("Light"),
    "theme_dark": text("Dark"),
    "today": text("Today"),
    "month": text("This month"),
    "pictures": text("Pictures"),
    "spent": text("Spent"),
    "requests": text("Requests"),
    "failed": text("Failed"),
    "waiting": text("Waiting"),
    "running": text("Being drawn"),
    "asked_price": text("Waiting for a yes"),
    "now": text("Now"),
    "newest_pictures": text("Newest pictures"),
    "place": text("Place"),
    "stopping": text("is being cancelled"),
    "in_a_row": text("Failures in a row"),
    "picture": text("Picture"),
    "ended": text("Ended"),
    "decided": text("Decided by itself"),
    "to_post": text("Answers to post"),
    "kept": text("Answers that could not be posted"),
    "processes": text("Processes"),
    "role": text("Role"),
    "version": text("Version"),
    "started": text("Started"),
    "seen": text("Last seen"),
    "latency": text("Time to draw"),
    "half": text("Half within (p50)"),
    "nearly_all": text("95 % within (p95)"),
    "failures": text("Failures by cause"),
    "no_failures": text("Nothing has failed."),
    "cause": text("Cause"),
    "times": text("Times"),
    "by_day": text("Spent by day"),
    "pictures_by_day": text("Pictures by day"),
    "as_table": text("As a table"),
    "day": text("Day"),
    "by_month": text("Spent by month"),
    "pictures_by_month": text("Pictures by month"),
    "of_month": text("Month"),
    "in_months": text("So long a time is told by month; its first and last month count only as far as these days go."),
    "nothing": text("Nothing is on record."),
    "no_match": text("Nothing fits this search."),
    "everybody": text("Everybody together"),
    "no_limit_set": text("Nothing is limited here."),
    "more_pools": text("There are more; these are the ones that were used most."),
    "account": text("Account"),
    "used": text("Used"),
    "held": text("Held"),
    "limit": text("Limit"),
    "left": text("Left"),
    "resets": text("Starts anew"),
    "unlimited": text("unlimited"),
    "never": text("does not start anew"),
    "usable_until": text("until"),
    "name": text("Name"),
    "last": text("Last asked"),
    "search": text("Search"),
    "clear": text("Clear"),
    "sorted_up": text("sorted, smallest first"),
    "sorted_down": text("sorted, largest first"),
    "next": text("Next page"),
    "first": text("First page"),
    "accounts": text("Accounts"),
    "history": text("Last pictures"),
    "known_as": text("Known as"),
    "teams": text("Teams"),
    "from": text("From"),
    "to": text("To"),
    "show": text("Show"),
    "by": text("By"),
    "share": text("Share"),
    "total": text("Total"),
    "model": text("Model"),
    "provider": text("Provider"),
    "platform": text("Platform"),
    "person": text("Person"),
    "team": text("Team"),
    "space": text("Space"),
    "prompt": text("Their words"),
    "state": text("State"),
    "asked": text("Asked"),
    "cancel": text("Cancel"),
    "queue_empty": text("Nothing waits, and nothing is being drawn."),
    "search_words": text("Words in the prompt"),
    "private": text("private"),
    "no_picture": text("No picture"),
    "older": text("Older"),
    "newest": text("Newest"),
    "parameters": text("Parameters"),
    "lineage": text("Where it comes from, and what became of it"),
    "this_one": text("this one"),
    "events": text("What happened"),
    "reuse": text("Copy the command"),
    "copied": text("Copied."),
    "not_copied": text("The browser does not let me copy; the command is marked, so that you can."),
    "command": text("The command for this picture"),
    "price": text("Price"),
    "when": text("When"),
    "what": text("What"),
    "before": text("Before"),
    "after": text("After"),
    "providers": text("Providers"),
    "balance": text("Balance"),
    "well": text("works"),
    "rests": text("left alone until"),
    "reason": text("Reason"),
    "possibly": text("Possibly billed"),
    "possibly_hint": text(
        "The provider gave no clear answer for these, so nobody knows whether it bills them. Look into its own"
        " account, then charge what it billed and release what it did not."
    ),
    "possibly_others": text(
        "The provider gave no clear answer for these. The bot's operator decides whether they are charged."
    ),
    "none_possibly": text("There is nothing to reconcile."),
    "charge": text("Charge"),
    "release": text("Release"),
    "export_hint": text("A table as CSV, for a spreadsheet or a program of your own. Money is in USD."),
    "usage": text("Usage"),
    "usage_hint": text("What was used, by day, person, team, space, provider and model."),
    "ledger": text("Ledger"),
    "ledger_hint": text("Every entry of the books: what was held, spent, given back, and for what."),
    "audit_title": text("Audit log"),
    "audit_hint": text("Who changed what, and when."),
    "download": text("Download"),
    "enter_title": text("Open the dashboard"),
    "enter_hint": text("This link works once."),
    "enter": text("Open"),
    "no_script": text("This page needs scripts, so that the key in its address is sent to nobody else."),
    "again": text("Try again"),
    "overview_link": text("To the overview"),
    "refused": text("This page is not for you"),
    "closed": text("You are not logged in"),
    "wrong": text("This did not work"),
    "left_title": text("You are logged out"),
}

ZONE = text("Times are those of {zone}.")
CLOSED = text("Ask the bot for a new link with /admin dashboard.")
USED = text("This link is used, too old, or not from here. Ask the bot for a new one with /admin dashboard.")
LEFT = text("Ask the bot for a link with /admin dashboard when you want to come back.")
STALE_FORM = text("This form is from an earlier session. Please go back, reload the page and try again.")
HIDDEN = text("It was made privately: you see that it was made, and not what was asked for.")
DELETED = text("It was deleted.")
SCOPES: Mapping[str, Text] = {
    "operator": text("You see everything."),
    "space": text("You see what belongs to your space and its teams."),
    "team": text("You see what belongs to your teams."),
    "person": text("You see what is your own."),
}
"""What each kind of rights covers."""
NOT_A_DAY = text(
    "A day is written like 2026-11-21; the first comes before the last, and at most a year lies between them."
)
SEARCHED = text("Only the newest {count} were looked through. Name a person to look further back.")
MORE_ROWS = text("These are the {count} that cost most; the total is that of all.")
NO_PAGE = text("There is no such page.")
NOT_UNDERSTOOD = text("I did not understand this address.")
CANCELLED = text("It was cancelled.")
SURE = text("This cannot be undone. Go on?")
CHARGED = text("It was charged.")
RELEASED = text("It was released.")

DONE: Mapping[str, Text] = {"cancelled": CANCELLED, "charged": CHARGED, "released": RELEASED}

BY: Mapping[str, str] = {
    "day": "day",
    "model": "model",
    "provider": "provider",
    "adapter": "platform",
    "person": "person",
    "team": "team",
    "space": "space",
}
"""What spend can be told by, and the word for it."""

CAUSES: Mapping[str, Text] = {
    "content": text("The provider refused the content"),
    "busy": text("The provider was busy"),
    "refused": text("The provider did not take the request"),
    "misconfigured": text("The account or the key does not work"),
    "broken": text("The answer held no usable picture"),
    "unknown": text("No clear answer came"),
    "picture": text("A given picture could not be used"),
    "cancelled": text("Cancelled"),
    "failed": text("Failed for another reason"),
}


BOOKED: Mapping[str, Text] = {
    "hold": text("held"),
    "settle": text("charged for what was made"),
    "charge": text("charged after all"),
    "release": text("given back"),
    "refund": text("refunded"),
}


def booking(kind: str, *, spends: bool) -> Text:
    """What an entry of the books is called: a settlement of nothing gives back what was held."""
    if kind == "settle" and not spends:
        return BOOKED["release"]
    return BOOKED.get(kind, Text("{words}", {"words": kind}))


def members(count: int) -> Text:
    return plural("{count} member", "{count} members", count)


def known(count: int) -> Text:
    return plural("{count} person", "{count} people", count)


def possibly(count: int) -> Text:
    return plural("{count} outcome waits for you to decide.", "{count} outcomes wait for you to decide.", count)


def tries(count: int) -> Text:
    return plural("{count} try", "{count} tries", count)


def credits(count: int) -> Text:
    return plural("{count} credit", "{count} credits", count)


def cancel_this(id: str) -> Text:
    return text("Cancel {id}", id=id)


def charge_this(id: str) -> Text:
    return text("Charge {id}", id=id)


def release_this(id: str) -> Text:
    return text("Release {id}", id=id)


STATES: Mapping[str, Text] = {
    "asked": text("waits for a yes"),
    "queued": text("in line"),
    "running": text("being drawn"),
    "sending": text("being drawn"),
    "submitted": text("being drawn"),
    "review": text("waits for a review"),
}


def state(name: str) -> Text:
    return STATES.get(name, Text("{words}", {"words": name}))
