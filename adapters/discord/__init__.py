"""Discord: slash commands, menus, replies, mentions and buttons in; one message for each picture out.

Events come in through `client.py` and `intake.py`, become an `Event` in `inbound.py`, `messages.py` and `presses.py`,
and answers leave through `adapter.py`. Only `connect.py` is named outside. Start reading in `adapter.py`.
"""
