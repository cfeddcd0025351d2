"""A provider that needs no key: a server on this machine that speaks ModelArk's contract and draws placeholders.

The bot reaches it through the same provider code and over the same kind of socket as a real one; nothing leaves
the machine. `Sandbox` runs it inside a process, `python -m bot.providers.sandbox` as a process of its own.
"""

from bot.providers.sandbox.faults import Faults
from bot.providers.sandbox.server import Sandbox

__all__ = ["Faults", "Sandbox"]
