"""The browser is started once for all stories."""

from tests.e2e.browser import browser

__all__ = ["browser"]
