"""The local chat page: the platform that needs no account.

It keeps its own messages (a chat platform would), serves them with one stream per open page, and speaks to the core
through the same neutral words as every other adapter. Start reading in `adapter.py`.
"""
