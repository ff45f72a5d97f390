"""What RedisServer promises of a Redis that answers, is away, falls silent and returns."""

import asyncio
from collections.abc import AsyncIterator

import anyio
import pytest
import pytest_asyncio

from jarvis.adapters.redis.server import RedisServer
from jarvis.core.errors import Unavailable
from tests.valkey import ValkeyServer

TIMEOUT_S = 0.3
GRACE_S = 2.0
"""For a busy machine, beside what is promised."""


@pytest_asyncio.fixture
async def server(valkey: ValkeyServer) -> AsyncIterator[RedisServer]:
    async with RedisServer(valkey.url, timeout_s=TIMEOUT_S) as opened:
        yield opened


async def value_of(server: RedisServer, key: str) -> bytes | None:
    async with server.asking() as client:
        value: bytes | None = await client.get(key)
    return value


async def keep(server: RedisServer, key: str) -> None:
    async with server.asking() as client:
        await client.set(key, key)


async def test_a_command_is_answered(server: RedisServer) -> None:
    await server.ping()
    await keep(server, "a")
    assert await value_of(server, "a") == b"a"


async def test_a_socket_file_will_do(valkey: ValkeyServer) -> None:
    async with RedisServer(valkey.socket_url) as server:
        await keep(server, "a")
        assert await value_of(server, "a") == b"a"


async def test_more_at_once_than_there_are_connections_are_all_answered(valkey: ValkeyServer) -> None:
    keys = [str(number) for number in range(200)]
    async with RedisServer(valkey.url, timeout_s=GRACE_S) as server:
        await asyncio.gather(*(keep(server, key) for key in keys))
        values = await asyncio.gather(*(value_of(server, key) for key in keys))
    assert values == [key.encode() for key in keys]


async def test_opening_needs_no_redis(valkey: ValkeyServer) -> None:
    await valkey.kill()
    async with RedisServer(valkey.url) as server:
        with pytest.raises(Unavailable) as refused:
            await server.ping()
        assert refused.value.dependency == "cache"


async def test_from_the_first_failure_on_it_is_not_asked_again() -> None:
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, RedisServer(f"redis://127.0.0.1:{port}") as server:
        with pytest.raises(Unavailable):
            await value_of(server, "a")
        at_first = connections
        for _ in range(3):
            with pytest.raises(Unavailable):
                await value_of(server, "a")
        assert connections == at_first


async def test_a_ping_finds_that_it_is_back(server: RedisServer, valkey: ValkeyServer) -> None:
    await keep(server, "a")
    await valkey.kill()
    with pytest.raises(Unavailable):
        await value_of(server, "a")
    await valkey.start()
    with pytest.raises(Unavailable):
        await value_of(server, "a")

    await server.ping()

    assert await value_of(server, "a") is None


async def test_a_ping_finds_that_it_is_away(server: RedisServer, valkey: ValkeyServer) -> None:
    await server.ping()
    await valkey.kill()
    with pytest.raises(Unavailable):
        await server.ping()
    await valkey.start()
    with pytest.raises(Unavailable):
        await value_of(server, "a")


@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not connected"])
async def test_nobody_waits_long_for_one_that_is_silent(
    server: RedisServer, valkey: ValkeyServer, *, is_connected: bool
) -> None:
    if is_connected:
        await server.ping()
    valkey.freeze()
    for asking in (value_of(server, "a"), server.ping()):
        async with asyncio.timeout(TIMEOUT_S + GRACE_S):
            with pytest.raises(Unavailable):
                await asking


async def test_commands_without_end_have_one_deadline(server: RedisServer) -> None:
    with anyio.fail_after(3 * (TIMEOUT_S + GRACE_S)):
        for _ in range(3):  # that the client swallows a cancellation is a matter of luck
            with pytest.raises(Unavailable):
                await asked_for_ever(server)
            await server.ping()


async def test_answers_that_came_too_late_are_nobody_elses(server: RedisServer, valkey: ValkeyServer) -> None:
    keys = [str(number) for number in range(16)]
    await asyncio.gather(*(keep(server, key) for key in keys))
    valkey.freeze()
    refused = await asyncio.gather(*(value_of(server, key) for key in keys), return_exceptions=True)
    assert {type(each) for each in refused} == {Unavailable}
    valkey.thaw()
    await server.ping()
    assert await asyncio.gather(*(value_of(server, key) for key in keys)) == [key.encode() for key in keys]


async def test_whoever_leaves_takes_his_answer_along(server: RedisServer, valkey: ValkeyServer) -> None:
    await asyncio.gather(*(keep(server, key) for key in "abc"))
    valkey.freeze()
    with anyio.move_on_after(TIMEOUT_S / 4):
        await asyncio.gather(*(value_of(server, key) for key in "abc"))
    valkey.thaw()
    assert [await value_of(server, key) for key in "abc"] == [b"a", b"b", b"c"]


async def test_a_listener_may_wait_longer_than_a_command(server: RedisServer) -> None:
    async with server.listening(patience_s=4 * TIMEOUT_S) as client:
        assert await client.blpop("nothing", timeout=2 * TIMEOUT_S) is None


async def test_a_listener_is_told_that_it_is_away(server: RedisServer, valkey: ValkeyServer) -> None:
    listener = asyncio.create_task(heard(server, patience_s=30))
    async with asyncio.timeout(10), valkey.client() as looking:
        while not (await looking.info("clients"))["blocked_clients"]:  # noqa: ASYNC110 it tells nobody
            await asyncio.sleep(0.01)
    await valkey.kill()
    async with asyncio.timeout(GRACE_S):
        with pytest.raises(Unavailable) as refused:
            await listener
    assert refused.value.dependency == "cache"


async def test_a_listener_waits_for_a_silent_one_no_longer_than_it_is_patient(
    server: RedisServer, valkey: ValkeyServer
) -> None:
    valkey.freeze()
    async with asyncio.timeout(4 * TIMEOUT_S + GRACE_S):
        with pytest.raises(Unavailable):
            await heard(server, patience_s=TIMEOUT_S)


async def asked_for_ever(server: RedisServer) -> None:
    async with server.asking() as client:
        while True:
            await client.ping()


async def heard(server: RedisServer, *, patience_s: float) -> object:
    async with server.listening(patience_s=patience_s) as client:
        return await client.blpop("nothing", timeout=0)
