"""Feishu and Lark: slash commands, words, replies, menus and card presses in; one card for each picture out.

Events come in over the long connection (`frames.py`, `connection.py`) or by webhook (`webhook.py`), become an `Event`
in `inbound.py`, and go to the core through `intake.py`; answers leave through `adapter.py` and `ladder.py`. Only
`connect.py` is named outside. Start reading in `adapter.py`.
"""
