"""/schema as a browser without a network gets it, and the document against what the server really does."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator

from jarvis.web.schema import describe
from tests.running import Running, running
from tests.scripted_model import Reset, Script, ScriptedModel

OFFLINE_SCHEMES = ("data:",)


class References(HTMLParser):
    """Collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


async def test_the_page_fetches_nothing_from_elsewhere(jarvis: Running) -> None:
    answer = await jarvis.http.get("/schema")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    references = References()
    references.feed(answer.text)
    assert "script" in references.tags
    assert [url for url in references.found if not url.startswith(OFFLINE_SCHEMES)] == ["openapi.json"]
    assert not re.search(r"https?://|//[a-z]|@import|url\(", answer.text)


async def test_the_policy_admits_the_pages_own_script_and_style_and_no_more(jarvis: Running) -> None:
    answer = await jarvis.http.get("/schema")
    directives = dict(
        directive.strip().split(" ", 1) for directive in answer.headers["content-security-policy"].split(";")
    )
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    assert not re.search(r"\s(on[a-z]+|style)=", answer.text)  # these the policy would refuse


@pytest.mark.parametrize("path", ["/schema/openapi.json", "/schema/openapi.json/"])
async def test_the_document_is_served(jarvis: Running, path: str) -> None:
    answer = await jarvis.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert answer.json() == describe(answer.json()["info"]["version"])


async def test_without_the_schema_there_is_neither(database_url: str, model: ScriptedModel) -> None:
    async with running(database_url, model.url, schema="off") as server:
        for path in ("/schema", "/schema/openapi.json"):
            assert (await server.http.get(path)).json()["code"] == "not_found"


async def test_every_query_parameter_is_read_by_its_route(jarvis: Running) -> None:
    api = describe("0")
    conversation = (await jarvis.http.post("/api/chat", json={"message": "Hello"})).json()
    ids = {"conversation_id": conversation["conversation_id"], "turn_id": conversation["turn_id"]}
    tried = 0
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            if "x-websocket" in operation:
                continue  # its query is read only with an upgrade; test_subscribe.py does one
            for parameter in operation["parameters"]:
                wrong = _wrong_value(parameter["schema"])
                if parameter["in"] == "query" and wrong is not None:
                    answer = await jarvis.http.request(
                        method, path.format(**ids), params={parameter["name"]: wrong}, json={"message": "Hi"}
                    )
                    assert answer.status_code == 400, (path, parameter["name"])
                    assert answer.json()["errors"][0]["field"] == parameter["name"]
                    tried += 1
    assert tried > 10


def _wrong_value(schema: dict[str, Any]) -> str | None:
    if schema.get("type") == "string" and not schema.keys() & {"format", "pattern"}:
        return None  # any text will do
    return " " if re.search(schema.get("pattern", "$^"), "?") else "?"


async def test_answers_are_as_described(jarvis: Running, model: ScriptedModel) -> None:
    api = describe("0")

    def check(answer: httpx.Response, path: str, method: str = "get") -> None:
        told = api["paths"][path][method]["responses"][str(answer.status_code)]["content"]
        schema = told[answer.headers["content-type"].partition(";")[0]]["schema"]
        complete = {**schema, "components": api["components"]}
        validator: Any = Draft202012Validator(complete)
        validator.validate(answer.json())

    http = jarvis.http
    chat = await http.post("/api/chat", json={"message": "Hello"})
    check(chat, "/api/chat", "post")
    ids = {key: chat.json()[key] for key in ("conversation_id", "turn_id")}
    for path in ("/api/chat/history", "/api/chat/history/{conversation_id}", "/api/chat/conversations"):
        check(await http.get(path.format(**ids)), path)
    check(await http.get("/api/chat/turns/{turn_id}".format(**ids)), "/api/chat/turns/{turn_id}")
    check(await http.get("/health"), "/health")
    check(await http.get("/ready"), "/ready")
    check(await http.post("/api/chat", json={"message": ""}), "/api/chat", "post")
    check(await http.post("/api/chat", content=b"a=1"), "/api/chat", "post")
    check(await http.get(f"/api/chat/turns/{uuid4()}"), "/api/chat/turns/{turn_id}")
    check(await http.get("/api/chat/history", headers={"Origin": "null"}), "/api/chat/history")
    check(await http.get("/api/chat/history", params={"limit": 0}), "/api/chat/history")
    model.script(Script(text="Half of", fault=Reset(at_token=1)))
    failed = await http.post("/api/chat", json={"message": "Hello"})
    assert failed.status_code == 503
    check(failed, "/api/chat", "post")
