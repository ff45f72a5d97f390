"""Logs of the whole process, set up once. Message text and secrets never get into a line."""

import logging
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jarvis.web.problems import frames_of

LogFormat = Literal["console", "json"]

_HIDDEN = "[hidden]"
_SECRET_PARTS = ("authorization", "token", "password", "passwd", "secret", "api_key", "apikey", "cookie")
# Counts of tokens are no tokens.
_HARMLESS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens", "max_tokens", "tokens"})
_PLAIN = frozenset({str, int, float})
_TEXT_KEYS = frozenset({"content", "message", "text", "prompt", "system_prompt", "body", "partial", "data"})
# These log each request or step by themselves, below warning level.
_CHATTY = ("alembic", "httpx", "httpcore", "asyncio", "websockets")


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Send all logs of the process, ours and every library's, to stderr in one format."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_where,
        hide_private,
    ]
    renderers = _renderers(log_format)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.JSONRenderer(serializer=_to_json)]


def _to_json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def tell_where(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put in place of an exception where it happened: what it says may quote a user."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    # An exception, what sys.exc_info returns, or True: the one that is being handled.
    told = cast("tuple[object, ...]", given)[1] if isinstance(given, tuple) else given
    exc = told if isinstance(told, BaseException) else sys.exc_info()[1]
    if exc is not None:
        event["traceback"] = frames_of(exc)
    return event


def hide_private(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values whose key says that they are a secret or somebody's words, at any depth."""
    for key, value in event.items():
        if _is_private(key):
            event[key] = _HIDDEN
        elif type(value) not in _PLAIN and isinstance(value, Mapping):
            event[key] = hide_private(_logger, _method, dict(cast("Mapping[str, object]", value)))
    return event


@lru_cache(512)
def _is_private(key: str) -> bool:
    name = key.lower().replace("-", "_")
    if name in _TEXT_KEYS:
        return True
    return name not in _HARMLESS and any(part in name for part in _SECRET_PARTS)
