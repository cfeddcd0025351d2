"""The browser is started once for all stories, and a bot on Feishu once for those of a module."""

from tests.e2e.browser import browser
from tests.e2e.feishu_bot import feishu, shared

__all__ = ["browser", "feishu", "shared"]
