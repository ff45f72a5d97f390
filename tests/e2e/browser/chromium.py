"""Chromium over the Chrome DevTools Protocol: what these tests ask of a browser, and no more."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

Json = dict[str, Any]

EXECUTABLE = shutil.which("chromium")
START_WITHIN_S = 30.0
PATIENCE_S = 20.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # CI is root in a container of its own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
    "--remote-debugging-port=0",
)

# A mutation is what a page does when it shows something: no clock decides when to look.
UNTIL = """
new Promise((resolve) => {
  const look = () => { if (%s) { watch.disconnect(); resolve(); } };
  const watch = new MutationObserver(look);
  watch.observe(document, { subtree: true, childList: true, characterData: true });
  look();
})
"""


class ScriptError(Exception):
    """An expression threw, or its promise was rejected."""


class Browser:
    """A running Chromium."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._pages: dict[str, Page] = {}

    async def ask(self, method: str, session: str | None = None, **params: object) -> Json:
        """Send a command and return its result. Raises RuntimeError when Chromium refuses it."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params}
        await self._connection.send(json.dumps(command | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    @asynccontextmanager
    async def page(self) -> AsyncGenerator["Page"]:
        """Open an empty page with storage and a cache of its own."""
        context = (await self.ask("Target.createBrowserContext"))["browserContextId"]
        target = await self.ask("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await page.ask(f"{domain}.enable")
        try:
            yield page
        finally:
            del self._pages[attached["sessionId"]]
            await self.ask("Target.disposeBrowserContext", browserContextId=context)

    async def listen(self) -> None:
        """Hand on what Chromium says, until the connection ends."""
        async for text in self._connection:
            said = json.loads(text)
            if "id" not in said:
                if (page := self._pages.get(said.get("sessionId", ""))) is not None:
                    page.note(said["method"], said["params"])
            elif not (answer := self._answers.pop(said["id"])).done():
                if "error" in said:
                    answer.set_exception(RuntimeError(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])


class Page:
    """A tab. `complaints` are the errors of its console and exceptions that nothing caught."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self._complained = asyncio.Event()

    async def ask(self, method: str, **params: object) -> Json:
        return await self._browser.ask(method, self._session, **params)

    async def open(self, url: str) -> None:
        """Navigate and wait for the page's load event."""
        self._loaded.clear()
        answer = await self.ask("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        async with asyncio.timeout(PATIENCE_S):
            await self._loaded.wait()

    async def reload(self) -> None:
        self._loaded.clear()
        await self.ask("Page.reload")
        async with asyncio.timeout(PATIENCE_S):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """Return an expression's value, that of a promise once it is settled. Raises ScriptError."""
        answer = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if (thrown := answer.get("exceptionDetails")) is not None:
            raise ScriptError(_described(thrown))
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until the condition holds, looking whenever the page's content changes."""
        await self.evaluate(UNTIL % condition)

    async def text(self, selector: str) -> str:
        return await self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")

    async def complains(self, text: str) -> None:
        """Wait for a complaint with this text in it, and take it off the list."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [said for said in self.complaints if text in said]):
                self._complained.clear()
                await self._complained.wait()
        self.complaints.remove(found[0])

    def note(self, event: str, params: Json) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self._complain(_described(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "assert"}:
                self._complain(" ".join(str(said.get("value")) for said in params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self._complain(params["entry"]["text"])
            case _:
                pass

    def _complain(self, text: str) -> None:
        self.complaints.append(text)
        self._complained.set()


def _described(details: Json) -> str:
    return details.get("exception", {}).get("description") or details["text"]


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Start Chromium with an empty profile; it is gone at the end."""
    assert EXECUTABLE is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *(EXECUTABLE, *FLAGS, f"--user-data-dir={profile}"),
            env={"PATH": os.environ["PATH"], "HOME": profile},
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            url = await _devtools_url(process)
            async with (
                asyncio.TaskGroup() as tasks,
                connect(url, proxy=None, compression=None, max_size=None) as connection,
            ):
                browser = Browser(connection)
                tasks.create_task(browser.listen())
                tasks.create_task(_discard_log(process))
                yield browser
                await browser.ask("Browser.close")
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _devtools_url(process: Process) -> str:
    assert process.stderr is not None
    lines: list[str] = []
    async with asyncio.timeout(START_WITHIN_S):
        async for line in process.stderr:
            lines.append(line.decode(errors="replace"))
            if lines[-1].startswith("DevTools listening on "):
                return lines[-1].split()[-1]
    raise RuntimeError(f"Chromium ended while it started:\n{''.join(lines)}")


async def _discard_log(process: Process) -> None:
    """Read on, so that Chromium never waits to write: without a desktop it logs much and means little."""
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
