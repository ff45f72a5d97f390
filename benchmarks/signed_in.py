"""What it costs that a request passes the whole stack, against the same route without any of it."""

import tempfile
from contextlib import AsyncExitStack

import msgspec

from benchmarks.identity_stand import SIGNED_IN, add_accounts, add_key, sign_in
from benchmarks.peer import Peer, get, volley
from benchmarks.report import Figure, Samples, at_most, compared
from benchmarks.servers import BARE_ROUTE, JARVIS, Server, serving
from benchmarks.stand import Stand
from benchmarks.wire import WHO, WHO_BODY, WHO_PATH

ROUNDS = 9
REQUESTS = 6_000
CONNECTIONS = 64

ROUTE = "trivial route, signed in, CPU"
BARE = "bare Litestar route, same server"
BY_KEY = f"{ROUTE}, by API key"
LOCAL = f"{ROUTE}, AUTH_MODE=local"
LOGS = {
    ROUTE: {},
    f"{ROUTE}, LOG_FORMAT=json": {"LOG_FORMAT": "json"},
    f"{ROUTE}, no request log": {"LOG_LEVEL": "WARNING"},
}
GOAL = at_most(1.6)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and the request that it is asked again and again."""

    server: Server
    request: bytes


async def measure_signed_in(built: Stand) -> list[Figure]:
    await add_accounts(built, [WHO])
    samples = Samples()
    async with AsyncExitStack() as stack:

        async def opened(program: tuple[str, ...], **settings: str) -> Server:
            folder = {"JARVIS_DATA_DIR": stack.enter_context(tempfile.TemporaryDirectory(dir=built.folder))}
            server = await stack.enter_async_context(serving(program, built.settings | folder | settings))
            server.pin(built.cpus.servers)
            return server

        bare = await opened(BARE_ROUTE)
        local = await opened(JARVIS, AUTH_MODE="local")
        servers = {measure: await opened(JARVIS, **SIGNED_IN, **log) for measure, log in LOGS.items()}
        jarvis = servers[ROUTE]
        token = await sign_in(jarvis, WHO)
        key = await add_key(jarvis, token)
        bearer = f"Bearer {token}"
        contenders = {
            BARE: Asked(server=bare, request=get(bare.port, WHO_PATH, authorization=bearer)),
            LOCAL: Asked(server=local, request=get(local.port, WHO_PATH)),
            BY_KEY: Asked(server=jarvis, request=get(jarvis.port, WHO_PATH, x_api_key=key)),
        } | {
            measure: Asked(server=server, request=get(server.port, WHO_PATH, authorization=bearer))
            for measure, server in servers.items()
        }
        await _check(contenders)
        for number in range(ROUNDS + 1):
            used_us = {name: await _cpu_us(asked) for name, asked in contenders.items()}
            if number:  # the first round warms
                for measure in (*LOGS, BY_KEY, LOCAL):
                    samples.add(measure, "Jarvis", used_us[measure])
                    samples.add(measure, BARE, used_us[BARE])
    return [
        figure
        for measure in (*LOGS, BY_KEY, LOCAL)
        for figure in compared(samples, measure, {BARE: GOAL if measure in LOGS else None}, unit="us")
    ]


async def _check(contenders: dict[str, Asked]) -> None:
    for name, asked in contenders.items():
        peer = await Peer.open(asked.server.port)
        heard = await peer.ask(asked.request)
        peer.close()
        assert heard.data.startswith(b"HTTP/1.1 200"), heard.data
        assert name == LOCAL or heard.data.endswith(WHO_BODY), heard.data


async def _cpu_us(asked: Asked) -> float:
    before_s = asked.server.cpu_s()
    await volley(asked.server.port, asked.request, requests=REQUESTS, connections=CONNECTIONS)
    return (asked.server.cpu_s() - before_s) / REQUESTS * 1e6
