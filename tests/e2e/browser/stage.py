"""What stands round the browser: a web server for the page, and a line to Jarvis that a test may cut."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

PAGE = Path(__file__).parent.parent / "page"
READ_BYTES = 65_536


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@contextmanager
def page_server() -> Generator[int]:
    """Serve the page on a free port of 127.0.0.1, which is returned."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(PAGE))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Line:
    """Carries bytes between clients and a server; `sent` is what the clients sent."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.port = 0
        self._server_port = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lead_to(self, port: int) -> None:
        self._server_port = port

    def cut(self) -> None:
        """End every connection within whatever it carries; new ones are carried again."""
        for end in self._ends:
            end.transport.abort()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Line"]:
        listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            self.cut()
            if self._carrying:
                await asyncio.wait([task for task in self._carrying if task])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._carrying.add(task := asyncio.current_task())
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, server_writer}
        self._ends |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, server_writer, self.sent))
                tasks.create_task(self._pump(server_reader, writer, bytearray()))
        finally:
            for end in ends:
                end.close()
            self._ends -= ends
            self._carrying.discard(task)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                seen += data
                writer.write(data)
                await writer.drain()
        writer.close()
