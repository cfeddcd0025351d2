"""Logging: one event with fields a line, for people on a terminal, as JSON elsewhere.

No prompt, token, key or signed link may reach a line; what libraries log joins in and is shortened where it could.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from aiohttp.http import HttpProcessingError
from aiohttp.web import RequestPayloadError

_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")


def configure(level: str, form: str) -> None:
    """form: "console", "json", or "auto", which is console on a terminal."""
    people = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = (
        [
            _scrub,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
        if people
        else [structlog.processors.format_exc_info, _scrub, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their INFO lines carry whole addresses and their DEBUG lines bodies.
    for noisy in ("aiohttp", "asyncio", "alembic", "PIL", "pyvips"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, getattr(logging, level)))
    logging.getLogger("aiohttp.server").addFilter(_visitors_fault)


def _visitors_fault(record: logging.LogRecord) -> bool:
    """What is no HTTP, and who left in the middle of a request, is one line: no traceback, and nothing of what came."""
    error = record.exc_info[1] if record.exc_info else None
    left = type(error) is ConnectionResetError and not error.errno  # by the server's own word; others have a number
    if not left and not isinstance(error, HttpProcessingError | RequestPayloadError):
        return True
    if not record.args:  # "Unhandled exception", while the rest of what was answered before is thrown away
        return False
    record.msg = "a request from %s broke off" if left else "a malformed request from %s was refused"
    record.problem = type(error).__name__
    record.exc_info = None
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    return logging.getLogger(record.name).isEnabledFor(logging.WARNING)


def _scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut the query off every address: a signed link is a secret."""
    for name, value in event.items():
        if isinstance(value, str) and "?" in value:
            event[name] = _QUERY.sub(r"\1?…", value)
    return event
