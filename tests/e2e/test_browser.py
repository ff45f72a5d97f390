"""A page of another origin talks to Jarvis in Chromium: fetch, EventSource, WebSocket, cuts and reloads."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import msgspec
import pytest

from tests.clients import NOBODY, Json, a_word, asked_of, chat, messages_of
from tests.e2e.browser.chromium import EXECUTABLE, Browser, Page, ScriptError, chromium
from tests.e2e.browser.stage import Line, page_server
from tests.postgres import PostgresServer
from tests.running import Running, in_one_task, running
from tests.scripted_model import Record, Refuse, Script, ScriptedModel
from tests.scripted_model.call import tokenise

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.skipif(EXECUTABLE is None, reason="there is no Chromium: apt-get install chromium"),
]

SAID = "Zażółć e\u0301 é 👩‍👩‍👧‍👦🇫🇷 <b>bold</b> &amp; שלם"
ANSWER = (
    "  e\u0301 is not é. 👩‍👩‍👧‍👦 🇫🇷 🙂 \U0010ffff\r\n"
    "<script>document.title = 'taken'</script> <img src=x onerror=\"document.title = 'taken'\"> &lt;&amp;\n\n"
    "\u202bשלם עם\u202c مرحبا بالعالم \u2028\u2029\x85 \u200d\ufeff and the end. \t\n"
)
TOKENS = tokenise(ANSWER)
HALF = len(TOKENS) // 2
BEGINNING = "".join(TOKENS[:HALF])

STREAMS = ["events", "websocket"]

LOAD_FAILED = "Failed to load resource: the server responded with a status of {}"
CUT_OFF = "Failed to load resource: net::ERR_"
NOT_LOADED = "Failed to load resource: net::ERR_FAILED"
NO_HEADER = "No 'Access-Control-Allow-Origin' header"
BAD_PREFLIGHT = "Response to preflight request doesn't pass access control check"


class Stage(msgspec.Struct, kw_only=True):
    """`origin` is the page's, the only one allowed; `line` leads to the server."""

    server: Running
    model: ScriptedModel
    line: Line
    page_port: int
    browser: Browser

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"

    def url(self, *, origin: str = "", jarvis: str = "") -> str:
        return f"{origin or self.origin}/index.html?jarvis={jarvis or self.server.url}"


@pytest.fixture(scope="module")
async def module_stage(postgres: PostgresServer, migrated_template: str) -> AsyncGenerator[Stage]:
    name = await postgres.new_database(template=migrated_template)
    async with AsyncExitStack() as stack:
        page_port = stack.enter_context(page_server())
        model = await stack.enter_async_context(in_one_task(ScriptedModel()))
        line = await stack.enter_async_context(in_one_task(Line().listening()))
        settings = {
            "allowed_origins": f"http://127.0.0.1:{page_port}",
            "allowed_hosts": f"127.0.0.1:{line.port}",
        }
        server = await stack.enter_async_context(
            in_one_task(running(postgres.url(name), model.url, **settings))
        )
        line.lead_to(int(server.url.rpartition(":")[2]))
        browser = await stack.enter_async_context(in_one_task(chromium()))
        yield Stage(server=server, model=model, line=line, page_port=page_port, browser=browser)
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def stage(module_stage: Stage) -> Stage:
    module_stage.model.clear_scripts()
    module_stage.model.log.clear()
    module_stage.line.sent.clear()
    return module_stage


@pytest.fixture
async def page(stage: Stage) -> AsyncGenerator[Page]:
    """An empty tab; the test fails if something is left in its console that it did not expect."""
    async with stage.browser.page() as page:
        yield page
        assert page.complaints == []


async def send(page: Page, way: str, message: str) -> None:
    await page.evaluate(
        f"""{{
          const form = document.querySelector("form");
          form.elements.message.value = {json.dumps(message)};
          form.elements.way.value = {json.dumps(way)};
          form.requestSubmit();
        }}"""
    )


async def until_text(page: Page, selector: str, text: str) -> None:
    await page.until(f"document.querySelector({json.dumps(selector)}).textContent === {json.dumps(text)}")


async def until_complete(page: Page) -> None:
    """Wait for the turn's end, whatever it is; it must be a good one."""
    await page.until('!["", "running"].includes(document.querySelector("#status").textContent)')
    assert await page.text("#status") == "complete"


async def sequence(page: Page) -> list[int]:
    """Return the `seq` of each event since the page was loaded or the message sent."""
    return await page.evaluate(
        "Array.from(document.querySelectorAll('#events li'), li => parseInt(li.textContent))"
    )


async def kept(page: Page) -> dict[str, str]:
    return json.loads(await page.evaluate("sessionStorage.getItem('turn')"))


def asked(model: ScriptedModel, message: str) -> list[Record]:
    """Return the requests to answer this message."""
    return [record for record in model.log.generating if record.last_user_message == message]


async def assert_shown_as_stored(page: Page, server: Running) -> None:
    stored = await messages_of(server, (await kept(page))["conversation_id"])
    assert stored[-1]["content"] == ANSWER
    assert await page.text("#answer") == ANSWER
    assert await page.evaluate("document.querySelector('#answer').children.length") == 0
    assert await page.evaluate("document.title") == "A small client of Jarvis"


async def begin(stage: Stage, page: Page, way: str, *, jarvis: str = "") -> str:
    """Send a message and wait until half of the answer is shown; return the gate before the rest."""
    gate = a_word()
    stage.model.script(Script(text=ANSWER, gate=gate, gate_at_token=HALF))
    await page.open(stage.url(jarvis=jarvis))
    await send(page, way, SAID)
    await until_text(page, "#answer", BEGINNING)
    assert await page.text("#status") == "running"
    return gate


@pytest.mark.parametrize("way", ["json", *STREAMS])
async def test_a_page_of_another_origin_chats(stage: Stage, page: Page, way: str) -> None:
    stage.model.script(Script(text="Hello."), match="first")
    stage.model.script(Script(text=ANSWER), match=SAID)
    await page.open(stage.url())
    await send(page, way, "first")
    await until_complete(page)
    await send(page, way, SAID)
    await until_complete(page)
    await assert_shown_as_stored(page, stage.server)
    stored = await messages_of(stage.server, (await kept(page))["conversation_id"])
    assert [message["content"] for message in stored] == ["first", "Hello.", SAID, ANSWER]


@pytest.mark.parametrize("way", STREAMS)
async def test_a_page_reloaded_within_an_answer_goes_on_with_it(stage: Stage, page: Page, way: str) -> None:
    gate = await begin(stage, page, way)
    before = await sequence(page)
    await page.reload()
    assert await page.text("#answer") == BEGINNING
    await until_text(page, "#connection", "connected")
    assert await sequence(page) == []
    stage.model.release(gate)
    await until_complete(page)
    after = await sequence(page)
    assert before + after == list(range(after[-1] + 1))
    await assert_shown_as_stored(page, stage.server)
    assert len(asked(stage.model, SAID)) == 1


@pytest.mark.parametrize("way", STREAMS)
async def test_a_page_that_comes_back_reads_what_was_said_meanwhile(
    stage: Stage, page: Page, way: str
) -> None:
    gate = await begin(stage, page, way)
    before = await sequence(page)
    await page.open("about:blank")
    stage.model.release(gate)
    record = await asked_of(stage.model, SAID)
    await stage.model.wait_for(lambda _: record.ended_s)
    await page.open(stage.url())
    await until_complete(page)
    after = await sequence(page)
    assert before + after == list(range(after[-1] + 1))
    await assert_shown_as_stored(page, stage.server)


@pytest.mark.parametrize("way", STREAMS)
async def test_a_lost_connection_loses_and_repeats_nothing(stage: Stage, page: Page, way: str) -> None:
    gate = await begin(stage, page, way, jarvis=stage.line.url)
    last = (await sequence(page))[-1]
    stage.line.sent.clear()
    stage.line.cut()
    await until_text(page, "#connection", "lost")
    stage.model.release(gate)
    await until_complete(page)
    seen = await sequence(page)
    assert seen == list(range(seen[-1] + 1))
    await assert_shown_as_stored(page, stage.server)
    if way == "events":
        assert f"last-event-id: {last}\r\n" in stage.line.sent.decode("latin-1").lower()
        await page.complains(CUT_OFF)


async def test_an_event_source_that_nobody_closes_ends_with_the_turn(stage: Stage, page: Page) -> None:
    """It reconnects when the response ends, with the terminal event's id; 204 tells it to stop."""
    await page.open(stage.url())
    turn_id = (await chat(stage.server, SAID))["turn_id"]
    heard = await page.evaluate(
        f"""new Promise((resolve) => {{
          const heard = [];
          const source = new EventSource("{stage.server.url}/api/chat/turns/{turn_id}/events?after=0");
          for (const type of ["context", "delta", "chat_response"])
            source.addEventListener(type, () => heard.push(type));
          source.onerror = () => {{ if (source.readyState === EventSource.CLOSED) resolve(heard); }};
        }})"""
    )
    assert (heard[0], heard[-1], heard.count("chat_response")) == ("context", "chat_response", 1)


async def test_a_page_reads_our_headers(stage: Stage, page: Page) -> None:
    stage.model.script(Script(fault=Refuse(status=503)), match="refuse")
    spoken = await chat(stage.server, SAID)
    await page.open(stage.url())
    listed = await fetched(page, f"{stage.server.url}/api/chat/history/{spoken['conversation_id']}?limit=1")
    assert listed["status"] == 200
    assert {"x-next-cursor", "x-request-id"} <= listed["headers"].keys()
    refused = await fetched(page, f"{stage.server.url}/api/chat", method="POST", body={"message": "refuse"})
    assert (refused["status"], refused["body"]["code"]) == (503, "llm_unavailable")
    assert 1 <= int(refused["headers"]["retry-after"]) <= 30
    assert refused["headers"]["x-request-id"] == refused["body"]["request_id"]
    named = await fetched(page, f"{stage.server.url}/health", headers={"X-Request-ID": "of-the-page"})
    assert named["headers"]["x-request-id"] == "of-the-page"
    await page.complains(LOAD_FAILED.format("503 (Service Unavailable)"))


async def test_a_page_renames_and_deletes(stage: Stage, page: Page) -> None:
    """PATCH and DELETE: what never goes without a preflight."""
    spoken = await chat(stage.server, SAID)
    conversation = f"{stage.server.url}/api/chat/conversation/{spoken['conversation_id']}"
    await page.open(stage.url())
    renamed = await fetched(page, conversation, method="PATCH", body={"title": SAID})
    assert (renamed["status"], renamed["body"]["title"]) == (200, SAID)
    deleted = await fetched(page, conversation, method="DELETE")
    assert (deleted["status"], deleted["body"]["deleted_messages"]) == (200, 2)
    gone = await fetched(page, conversation)
    assert (gone["status"], gone["body"]["code"]) == (404, "not_found")
    await page.complains(LOAD_FAILED.format("404 (Not Found)"))


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
async def test_a_page_of_an_unknown_origin_gets_nowhere(stage: Stage, page: Page, host: str) -> None:
    """`localhost` and `127.0.0.1` are two origins, and only the second is allowed here."""
    await page.open(stage.url(origin=f"http://{host}:{stage.page_port}"))
    asked_for = f"{stage.server.url}/api/chat"
    message = a_word()
    for method, body, why in (("GET", None, NO_HEADER), ("POST", {"message": message}, BAD_PREFLIGHT)):
        path = "/conversations" if method == "GET" else ""
        with pytest.raises(ScriptError, match="TypeError: Failed to fetch"):
            await fetched(page, asked_for + path, method=method, body=body)
        await page.complains(why)
    await page.evaluate(
        f"""new Promise((closed, reject) => {{
          const socket = new WebSocket("{stage.server.ws_url}");
          socket.onopen = () => reject("it opened");
          socket.onclose = closed;
        }})"""
    )
    await page.evaluate(
        f"""new Promise((refused, reject) => {{
          const source = new EventSource("{asked_for}/turns/{NOBODY}/events");
          source.onopen = () => reject("it opened");
          source.onerror = () => {{ if (source.readyState === EventSource.CLOSED) refused(); }};
        }})"""
    )
    await page.complains("Unexpected response code: 403")
    await send(page, "json", message)
    await page.until("document.querySelector('#status').textContent.startsWith('not sent')")
    assert asked(stage.model, message) == []
    for said in (NO_HEADER, BAD_PREFLIGHT, *4 * [NOT_LOADED]):  # of the event source, the form, and all four
        await page.complains(said)


async def fetched(
    page: Page,
    url: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: Json | None = None,
) -> Json:
    """Fetch as the page; return the status, the JSON body, and those headers the page may read."""
    sent = {"Content-Type": "application/json"} if body else {}
    options = {
        "method": method,
        "headers": sent | (headers or {}),
        "body": json.dumps(body) if body else None,
    }
    return await page.evaluate(
        f"""fetch({json.dumps(url)}, {json.dumps(options)}).then(async (response) => ({{
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: await response.json(),
        }}))"""
    )
