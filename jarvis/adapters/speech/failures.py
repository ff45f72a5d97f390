"""What goes wrong with speech engines, in the core's words; of their own texts nothing is told."""

import contextlib
from collections.abc import Generator
from typing import Literal

import httpx

from jarvis.adapters import model_http
from jarvis.core.errors import JarvisError, TimedOut, Unavailable, Unreachable

Role = Literal["stt", "tts"]
_CALLED: dict[Role, str] = {"stt": "speech recognition", "tts": "speech synthesis"}


@contextlib.contextmanager
def http_errors(role: Role) -> Generator[None]:
    """Turn everything that can go wrong with a server over HTTP into Unavailable or TimedOut of `role`."""
    try:
        with model_http.model_errors():
            yield
    except JarvisError as exc:
        # What model_http and streaming say of a language model is true of a speech engine.
        detail = exc.detail.replace("The language model", f"The {_CALLED[role]}")
        detail = detail.replace("the language model", f"the {_CALLED[role]}")
        if isinstance(exc, TimedOut):
            raise TimedOut(role, detail) from exc
        if isinstance(exc.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
            raise Unreachable(role, detail) from exc
        raise Unavailable(role, detail) from exc


def unreachable(role: Role) -> Unreachable:
    return Unreachable(role, f"The {_CALLED[role]} cannot be reached.")


def broke_off(role: Role) -> Unavailable:
    return Unavailable(role, f"The connection to the {_CALLED[role]} broke off.")


def garbled(role: Role) -> Unavailable:
    return Unavailable(role, f"The {_CALLED[role]} answered with something that is not an answer.")


def failed(role: Role) -> Unavailable:
    return Unavailable(role, f"The {_CALLED[role]} failed.")


def timed_out(role: Role) -> TimedOut:
    return TimedOut(role, f"The {_CALLED[role]} did not answer in time.")


def stuck(role: Role) -> Unavailable:
    return Unavailable(role, f"The {_CALLED[role]} does not take what it is sent.")


def silent() -> Unavailable:
    return Unavailable("tts", "The speech synthesis gave no sound.")
