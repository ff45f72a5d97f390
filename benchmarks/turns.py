"""/health and whole turns: CPU of the server for each, and turns a second at saturation."""

import asyncio
from time import perf_counter

from benchmarks.peer import Peer, get, post, volley
from benchmarks.report import Figure, Samples, at_least, at_most, compared
from benchmarks.servers import Server
from benchmarks.stand import Contenders

ROUNDS = 5
HEALTH_REQUESTS = 12_000
HEALTH_CONNECTIONS = 64
CONVERSATIONS = 32
TURNS_EACH = 8

RAW = "raw ASGI, same server"
BARE = "bare asyncpg route"
ORM = "FastAPI + ORM"
UVICORN = "FastAPI on uvicorn"

HEALTH = "/health, CPU"


async def measure_health(servers: Contenders) -> list[Figure]:
    samples = Samples()
    contenders = {"Jarvis": servers.jarvis, RAW: servers.floor, UVICORN: servers.fastapi}
    for _ in range(ROUNDS):
        for name, server in contenders.items():
            before_s = server.cpu_s()
            request = get(server.port, "/health")
            await volley(server.port, request, requests=HEALTH_REQUESTS, connections=HEALTH_CONNECTIONS)
            samples.add(HEALTH, name, (server.cpu_s() - before_s) / HEALTH_REQUESTS * 1e6)
    return [
        *compared(samples, HEALTH, {RAW: at_most(1.25)}, unit="us"),
        *compared(samples, HEALTH, {UVICORN: at_least(3)}, unit="us", inverse=True),
    ]


async def health_bytes(server: Server) -> int:
    peer = await Peer.open(server.port)
    heard = await peer.ask(get(server.port, "/health"))
    peer.close()
    return len(heard.data)


async def measure_turns(servers: Contenders, *, instant: bool) -> list[Figure]:
    where = "model in process, no request log" if instant else "model over HTTP"
    contenders = {"Jarvis": servers.jarvis, BARE: servers.floor, ORM: servers.fastapi}
    samples = Samples()
    figures: list[Figure] = []
    for server in contenders.values():
        await _turns(server, is_new=True)  # warm: prepared statements, code paths
        await _turns(server, is_new=False)
    for kind, is_new in (("new conversation", True), ("existing conversation", False)):
        cpu, rate = f"turn, {kind}, {where}, CPU", f"turn, {kind}, {where}, rate"
        for _ in range(ROUNDS):
            for name, server in contenders.items():
                cpu_us, per_s = await _turns(server, is_new=is_new)
                samples.add(cpu, name, cpu_us)
                samples.add(rate, name, per_s)
        figures += compared(samples, cpu, {BARE: at_most(1.3), ORM: None}, unit="us")
        figures += compared(samples, rate, {BARE: None, ORM: at_least(3)}, unit="/s")
    return figures


async def _turns(server: Server, *, is_new: bool) -> tuple[float, float]:
    """Have CONVERSATIONS clients make TURNS_EACH turns; return CPU us a turn and turns/s.

    Existing conversations begin with one turn, so that histories have 2 to 16 messages.
    """
    peers = [await Peer.open(server.port) for _ in range(CONVERSATIONS)]
    first = post(server.port, "/api/chat", {"message": "short"})
    requests = [first] * CONVERSATIONS
    if not is_new:
        heard = await asyncio.gather(*(peer.ask(first) for peer in peers))
        requests = [
            post(
                server.port,
                "/api/chat",
                {"message": "short", "conversation_id": answer.json["conversation_id"]},
            )
            for answer in heard
        ]
    before_s, started_s = server.cpu_s(), perf_counter()
    await asyncio.gather(*(_repeat(peer, request) for peer, request in zip(peers, requests, strict=True)))
    took_s, cpu_s = perf_counter() - started_s, server.cpu_s() - before_s
    for peer in peers:
        peer.close()
    turns = CONVERSATIONS * TURNS_EACH
    return cpu_s / turns * 1e6, turns / took_s


async def _repeat(peer: Peer, request: bytes) -> None:
    for _ in range(TURNS_EACH):
        heard = await peer.ask(request)
        assert heard.data.startswith(b"HTTP/1.1 20"), heard.data[:500]
