"""Pages that are not ours, and names that are not ours: refused before anybody is asked who he is."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.people import bearer, guarded, join
from tests.postgres import PostgresServer
from tests.running import Running, in_one_task, running
from tests.scripted_model import ScriptedModel

PAGE = "http://localhost:3000"
ORIGINS = {
    "null": "null",
    "null in capitals": "NULL",
    "nothing": "",
    "suffix": "http://localhost:3000.evil.example",
    "suffix of the host": "http://localhost.evil.example:3000",
    "prefix": "http://evil-localhost:3000",
    "subdomain": "http://evil.localhost:3000",
    "another alphabet": "http://localho\u017ft:3000",
    "any": "*",
    "any host": "http://*",
    "any subdomain": "http://*.localhost:3000",
    "a dot at the end": "http://localhost.:3000",
    "another port": "http://localhost:3002",
    "no port": "http://localhost",
    "a port with more digits": "http://localhost:30000",
    "user info": "http://localhost:3000@evil.example",
    "user info before": "http://evil@localhost:3000",
    "a tab": "http://local\thost:3000",
    "a slash": "http://localhost:3000/",
    "a fragment": "http://evil.example#http://localhost:3000",
    "another scheme": "https://localhost:3000",
    "no scheme": "localhost:3000",
    "a file": "file://",
    "an extension": "chrome-extension://localhost:3000",
    "two": "http://localhost:3000 http://evil.example",
    "two, by a comma": "http://localhost:3000, http://evil.example",
    "an address": "http://127.0.0.1.nip.example:3000",
}
HOSTS = {
    "evil": "evil.example",
    "evil, with our port": "evil.example:{port}",
    "rebinding": "127.0.0.1.nip.example:{port}",
    "suffix": "localhost.evil.example:{port}",
    "prefix": "evil-localhost:{port}",
    "a dot at the end": "localhost.:{port}",
    "an address with a dot at the end": "127.0.0.1.:{port}",
    "two numbers": "127.1:{port}",
    "one number": "2130706433:{port}",
    "hexadecimal": "0x7f000001:{port}",
    "octal": "0177.0.0.1:{port}",
    "another loopback": "127.0.0.2:{port}",
    "any address": "0.0.0.0:{port}",
    "IPv4 in IPv6": "[::ffff:127.0.0.1]:{port}",
    "all of IPv6": "[0:0:0:0:0:0:0:1]:{port}",
    "any of IPv6": "[::]:{port}",
    "user info": "localhost@evil.example:{port}",
    "user info before": "evil@localhost:{port}",
    "another port": "localhost:1",
    "a port with a zero": "localhost:0{port}",
    "a port with more digits": "localhost:{port}0",
    "two": "localhost, evil.example",
}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and what its user sends to be let in."""

    server: Running
    headers: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def targets(
    postgres: PostgresServer, migrated_template: str, module_model: ScriptedModel
) -> AsyncGenerator[dict[str, Target]]:
    name = await postgres.new_database(template=migrated_template)
    url = postgres.url(name)
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(in_one_task(running(url, module_model.url)))
        jwt = await stack.enter_async_context(in_one_task(guarded(url, module_model.url)))
        anna = await join(jwt, "anna")
        yield {"local": Target(server=local, headers={}), "jwt": Target(server=jwt, headers=anna.headers)}
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["local", "jwt"])
def target(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


async def asked(target: Target, *sent: tuple[str, str]) -> list[httpx.Response]:
    """Ask as a page may: for something, beforehand, without what lets in, and for a socket."""
    own = [(name.encode(), value.encode()) for name, value in sent]
    http = target.server.http
    asks: list[tuple[str, str, dict[str, str]]] = [
        ("GET", "/api/chat/conversations", target.headers),
        ("DELETE", "/api/memory", target.headers),
        ("GET", "/api/chat/conversations", {}),
        ("POST", "/api/auth/login", {"Content-Type": "text/plain"}),
        ("OPTIONS", "/api/chat", PREFLIGHT),
        ("GET", "/ws", UPGRADE),
        ("GET", "/ws", UPGRADE | target.headers),
        ("GET", "/no/such/path", {}),
    ]
    return [
        await http.request(
            method, path, headers=[(name.encode(), value.encode()) for name, value in more.items()] + own
        )
        for method, path, more in asks
    ]


def assert_refused(response: httpx.Response, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (403, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
async def test_a_page_of_another_origin_is_refused(target: Target, origin: str) -> None:
    for response in await asked(target, ("Origin", origin)):
        assert_refused(response, "origin_not_allowed")


async def test_two_origins_are_refused_although_both_are_known(target: Target) -> None:
    for response in await asked(target, ("Origin", PAGE), ("Origin", PAGE)):
        assert_refused(response, "origin_not_allowed")


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS.keys())
async def test_a_name_that_is_not_ours_is_refused(target: Target, host: str) -> None:
    port = target.server.url.rpartition(":")[2]
    for response in await asked(target, ("Host", host.format(port=port))):
        assert_refused(response, "host_not_allowed")


async def test_a_host_has_to_be_named(target: Target) -> None:
    for response in await asked(target, ("Host", "")):
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:{port}", "127.0.0.1:{port}", "[::1]:{port}", "[::1]"]
)
@pytest.mark.parametrize("origin", [PAGE, PAGE.upper(), None], ids=["page", "in capitals", "none"])
async def test_what_is_ours_passes(target: Target, host: str, origin: str | None) -> None:
    headers = {"Host": host.format(port=target.server.url.rpartition(":")[2])}
    headers |= {"Origin": origin} if origin else {}
    response = await target.server.http.get("/api/chat/conversations", headers=headers | target.headers)
    assert response.status_code == 200
    unknown = await target.server.http.get("/api/chat/conversations", headers=headers | bearer("x.y.z"))
    assert unknown.status_code == (401 if target.headers else 200)
