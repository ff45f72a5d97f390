"""Passwords, hashed with Argon2id (RFC 9106) in threads of their own."""

import asyncio
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from jarvis.core.errors import Invalid, Overloaded
from jarvis.core.identity import MAX_PASSWORD_BYTES

MEMORY_KIB = 47_104
PASSES = 1
LANES = 1
"""The first of OWASP's settings for Argon2id (Password Storage Cheat Sheet); 60 ms of a usual CPU."""
THREADS = 2
"""So many are hashed at once, in 46 MiB each."""
MAX_WAITING = 32
"""They wait a second or two; whoever comes then is told to come later."""

T = TypeVar("T")


class FewThreads:
    """Runs work in THREADS threads, in the order of asking.

    A thread is busy until its work is done, also where the caller was cancelled, so that no more memory is
    taken however many are cancelled (anyio's limiter frees the place at once when a task is cancelled by
    asyncio). The work of a caller who is cancelled while he waits is not done.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._callers = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Raises Overloaded where MAX_WAITING wait already."""
        if self._callers >= THREADS + MAX_WAITING:
            raise Overloaded("Too many are signing in; try again in a moment.")
        self._callers += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._callers -= 1


class Argon2Passwords:
    """Fills PasswordHasher. Raises Overloaded as FewThreads does."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = FewThreads()
        self._nobodys = nobodys_hash()

    async def hash(self, password: str) -> str:
        """Raises Invalid("password") for more than MAX_PASSWORD_BYTES."""
        secret = _secret(password)
        if secret is None:
            raise Invalid("password", f"must have at most {MAX_PASSWORD_BYTES} bytes")
        return await self._threads.run(lambda: self._argon2.hash(secret))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether it is the password; a hash of another kind than Argon2 is nobody's, as None is."""
        secret = _secret(password)
        if secret is None or password_hash is None or not _is_argon2(password_hash):
            secret, password_hash = b"", self._nobodys
        return await self._threads.run(lambda: self._matches(secret, password_hash))

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether it has other parameters, also stronger ones: every sign-in is to take as long."""
        return not _is_argon2(password_hash) or self._argon2.check_needs_rehash(password_hash)

    def _matches(self, secret: bytes, password_hash: str) -> bool:
        try:
            return self._argon2.verify(password_hash, secret)
        except VerifyMismatchError:
            return False


def _secret(password: str) -> bytes | None:
    """Return what is hashed, by the OpaqueString profile (RFC 8265 section 4.2.2); None: too long.

    Normalised, so that "é" is the same from every keyboard, to NFC: NFKC would make one password of different
    ones. Other spaces, which some keyboards make with a modifier held too long, are plain ones.
    """
    if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
        return None
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced).encode(errors="surrogatepass")


def _is_argon2(password_hash: str) -> bool:
    try:
        extract_parameters(password_hash)
    except InvalidHashError:
        return False
    return True


def nobodys_hash() -> str:
    """Return a hash that takes as long to verify as any, and that no password has: its digest is random.

    It costs nothing to make, so the first unknown user waits no longer than the next.
    """
    salt, digest = (b64encode(os.urandom(length)).decode().rstrip("=") for length in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"
