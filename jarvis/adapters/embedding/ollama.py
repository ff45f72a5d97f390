"""Embeddings of an Ollama server, over plain httpx.

The official client would decode an answer in 16 ms on the event loop (32 KB a vector); this takes 1.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx
import msgspec

from jarvis.adapters import model_http, streaming
from jarvis.adapters.embedding.batches import BATCH_S, embed_in_batches, embedding_errors
from jarvis.core.ports import Vector, VectorSpace

DIGEST_S = 2.0
"""Asked often, and the server has the answer at hand."""


class _Embedded(msgspec.Struct):
    embeddings: list[list[float]]


class _Tagged(msgspec.Struct):
    name: str
    digest: str


class _Tags(msgspec.Struct):
    models: list[_Tagged]


class OllamaEmbedder:
    """Fills the Embedder port. The server cuts what its model cannot read.

    Close it, or use it as a context manager.
    """

    def __init__(self, url: str, model: str, *, batch_s: float = BATCH_S) -> None:
        self._model = model
        self._batch_s = batch_s
        self._requests = streaming.Requests()
        self._space: VectorSpace | None = None
        self._http = httpx.AsyncClient(
            base_url=url,
            transport=model_http.ModelTransport(url),
            timeout=model_http.TIMEOUT,
            headers=model_http.HEADERS,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._requests.aclose()
        await self._http.aclose()

    async def space(self) -> VectorSpace:
        """As the port says; asks each time, since a model can be replaced under its name."""
        with embedding_errors():
            digest = await self._requests.answer(self._digest(), limit_s=DIGEST_S)
        if self._space is None or self._space.version != digest:
            [vector] = await self.embed(["dimensions"])
            self._space = VectorSpace(model=self._model, version=digest, dimensions=len(vector))
        return self._space

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        return await embed_in_batches(self._requests, texts, self._embed, batch_s=self._batch_s)

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        body = msgspec.json.encode({"model": self._model, "input": texts, "truncate": True})
        response = await self._http.post("/api/embed", content=body)
        if response.status_code == 404 and b"model" in response.content:
            raise model_http.unknown_model(named=False)
        if response.status_code != 200:
            raise model_http.refusal(response.status_code)
        return msgspec.json.decode(response.content, type=_Embedded).embeddings

    async def _digest(self) -> str:
        response = await self._http.get("/api/tags")
        if response.status_code != 200:
            raise model_http.refusal(response.status_code)
        for model in msgspec.json.decode(response.content, type=_Tags).models:
            if model.name in {self._model, f"{self._model}:latest"}:
                return model.digest
        raise model_http.unknown_model(named=False)
