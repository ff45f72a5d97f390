"""From the start of the process to the first 200 of /ready, and the memory of the server process."""

import asyncio
from contextlib import AsyncExitStack

from benchmarks.peer import Peer
from benchmarks.report import Figure, Samples, at_most, compared
from benchmarks.servers import FLOOR, JARVIS, Server, serving
from benchmarks.stand import NOWHERE, Contenders, Stand

STARTS = 5
SOCKETS = 1000
BARE = "bare asyncpg server"


async def measure_boot(stand: Stand) -> list[Figure]:
    """The first start of each program is not counted: it compiles, and makes the embedded database."""
    samples = Samples()
    existing, embedded = "boot, existing database", "boot, warm embedded Postgres"
    without_database = {name: value for name, value in stand.settings.items() if name != "DATABASE_URL"}
    own = without_database | {"JARVIS_DATA_DIR": str(stand.folder / "embedded"), "OLLAMA_URL": NOWHERE}
    for counted in (False, *[True] * STARTS):
        for measure, who, program, settings in (
            (existing, "Jarvis", JARVIS, stand.settings),
            (embedded, "Jarvis", JARVIS, own),
            (existing, BARE, FLOOR, stand.settings),
        ):
            async with serving(program, settings) as server:
                if counted:
                    samples.add(measure, who, server.boot_s)
                    if who == BARE:
                        samples.add(embedded, who, server.boot_s)
    figures: list[Figure] = []
    for measure, goal in ((existing, at_most(1.0, " s")), (embedded, at_most(2.0, " s"))):
        (figure,) = compared(samples, measure, {BARE: goal}, unit="s", judge_value=True)
        figures.append(figure)
    return figures


async def measure_memory(servers: Contenders) -> list[Figure]:
    """Call it before any other load: memory once used is not given back."""
    samples = Samples()
    idle, sockets = "memory, idle", f"memory, {SOCKETS:,} idle WebSockets"
    for who, server in (("Jarvis", servers.jarvis), (BARE, servers.floor)):
        samples.add(idle, who, server.rss_mb())
        samples.add(sockets, who, await _with_sockets(server))
    figures: list[Figure] = []
    for measure, goal in ((idle, at_most(100, " MB")), (sockets, at_most(350, " MB"))):
        figures += compared(samples, measure, {BARE: goal}, unit="MB", judge_value=True)
    return figures


async def _with_sockets(server: Server) -> float:
    async with AsyncExitStack() as stack:
        for _ in range(SOCKETS):
            stack.callback((await Peer.upgraded(server.port, "/ws")).close)
        await asyncio.sleep(0.5)
        return server.rss_mb()
