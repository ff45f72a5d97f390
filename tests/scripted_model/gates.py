"""Places where streams wait until a test says go."""

import asyncio


class Gates:
    """A named gate stays open once released. Hanging requests are let go together; later ones hang again."""

    def __init__(self) -> None:
        self._named: dict[str, asyncio.Event] = {}
        self._hanging = asyncio.Event()

    def release(self, name: str | None = None) -> None:
        """Open the gate `name`, or without a name let go what hangs now."""
        if name is None:
            self._hanging.set()
            self._hanging = asyncio.Event()
        else:
            self._gate(name).set()

    def is_open(self, name: str) -> bool:
        return self._gate(name).is_set()

    async def wait(self, name: str) -> None:
        await self._gate(name).wait()

    async def hang(self) -> None:
        await self._hanging.wait()

    def _gate(self, name: str) -> asyncio.Event:
        return self._named.setdefault(name, asyncio.Event())
