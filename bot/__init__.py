"""The shared request core: what the bot can do, never where it is asked."""

__version__ = "0.1.0"
