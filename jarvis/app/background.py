"""What works beside requests."""

from collections.abc import Callable, Coroutine
from typing import Any

Background = Callable[[], Coroutine[Any, Any, None]]
"""Works for ever; to be cancelled."""
