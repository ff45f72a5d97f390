"""A WebSocket on which nobody has signed in yet: its first frame says who is there, and soon."""

from contextlib import suppress
from typing import Any, Literal

import anyio
import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from jarvis.core.errors import JarvisError, Unauthenticated
from jarvis.services.identity import Accounts, Caller
from jarvis.web.closing import OVERLOADED, POLICY
from jarvis.web.decoding import decode_json

WITHIN_S = 10.0
"""The time to sign in (the contract's section 4)."""
MAX_FRAME_BYTES = 8 * 1024
CLOSE_WITHIN_S = 1.0


class AuthFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Say who is there, with an access token or an API key, before anything else."""

    type: Literal["auth"]
    token: str


class Authenticated(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="authenticated"):
    """The answer to an `auth` frame that was good; `user_id` is the name."""

    user_id: str


def encode_authenticated(name: str) -> bytes:
    return msgspec.json.encode(Authenticated(user_id=name))


class SigningIn:
    """Waits for one frame, and closes the socket when that is not good, or has not come `within_s`."""

    def __init__(
        self, socket: WebSocket[Any, Any, Any], accounts: Accounts, *, within_s: float = WITHIN_S
    ) -> None:
        self._socket = socket
        self._accounts = accounts
        self._within_s = within_s
        self._scope = anyio.CancelScope()
        self._close_code = POLICY
        self._is_gone = False

    async def caller(self) -> Caller | None:
        """Return who it is, and tell him so; None: the socket is closed."""
        caller: Caller | None = None
        with suppress(WebSocketDisconnect):
            with self._scope:
                self._scope.deadline = anyio.current_time() + self._within_s
                caller = await self._let_in()
            if self._is_gone:
                return None
            if caller is not None:
                name = (await caller.profile(None)).name
                data = encode_authenticated(name).decode()
                await self._socket.send({"type": "websocket.send", "text": data, "bytes": None})
                return caller
            with anyio.move_on_after(CLOSE_WITHIN_S, shield=True):
                await self._socket.send({"type": "websocket.close", "code": self._close_code, "reason": ""})
        return None

    async def close(self, code: int) -> None:
        """Wait no longer, and close with that code."""
        self._close_code = code
        self._scope.cancel()

    async def _let_in(self) -> Caller | None:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            self._is_gone = True
            return None
        data = (message.get("text") or "").encode(errors="surrogatepass")
        if len(data) > MAX_FRAME_BYTES:
            return None
        try:
            frame = decode_json(data, AuthFrame)
            return await self._accounts.caller(frame.token)
        except Unauthenticated:
            return None
        except JarvisError as exc:
            if exc.status == 503:  # it cannot be found out now
                self._close_code = OVERLOADED
            return None
