"""Embeddings of servers that speak OpenAI's API (llama-server, vLLM, LM Studio, ...), over plain httpx."""

import base64
from array import array
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx
import msgspec

from jarvis.adapters import model_http, streaming
from jarvis.adapters.embedding.batches import BATCH_S, embed_in_batches
from jarvis.core.ports import Vector, VectorSpace

_JSON = {"content-type": "application/json"}
_SHORT_CHARS = 1_000
"""What models of 512 tokens can read, in French too; none of these servers is sure to cut by itself."""


class _Embedding(msgspec.Struct):
    embedding: list[float] | str
    index: int


class _Embedded(msgspec.Struct):
    data: list[_Embedding]


class OpenAIEmbedder:
    """Fills the Embedder port. `base_url` is what OpenAI's clients are given, most often ending in /v1.

    Nothing in this API tells a model's version: replace a model under another name. Close it, or use it as a
    context manager.
    """

    def __init__(
        self, base_url: str, model: str, *, api_key: str | None = None, batch_s: float = BATCH_S
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._model = model
        self._batch_s = batch_s
        self._dimensions = 0
        self._requests = streaming.Requests()
        headers = model_http.HEADERS | _JSON
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            transport=model_http.ModelTransport(base_url),
            timeout=model_http.TIMEOUT,
            headers=headers,
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
        """As the port says; the dimensions are those of the vectors that came last."""
        if not self._dimensions:
            await self.embed(["dimensions"])
        return VectorSpace(model=self._model, version="", dimensions=self._dimensions)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        vectors = await embed_in_batches(self._requests, texts, self._embed, batch_s=self._batch_s)
        if vectors:
            self._dimensions = len(vectors[-1])
        return vectors

    async def _embed(self, texts: list[str]) -> list[Sequence[float]]:
        response = await self._post(texts)
        if response.status_code in {400, 413} and any(len(text) > _SHORT_CHARS for text in texts):
            response = await self._post([text[:_SHORT_CHARS] for text in texts])
        if response.status_code == 404 and b"model" in response.content:
            raise model_http.unknown_model(named=False)
        if response.status_code != 200:
            raise model_http.refusal(response.status_code)
        data = msgspec.json.decode(response.content, type=_Embedded).data
        return [_values(each.embedding) for each in sorted(data, key=lambda each: each.index)]

    async def _post(self, texts: list[str]) -> httpx.Response:
        # base64 is what the official client asks for; it takes a quarter of the bytes, and no parsing.
        body = {"model": self._model, "input": texts, "encoding_format": "base64"}
        return await self._http.post(self._url, content=msgspec.json.encode(body))


def _values(embedding: list[float] | str) -> Sequence[float]:
    if isinstance(embedding, list):
        return embedding  # from a server that knows one format only
    return array("f", base64.b64decode(embedding, validate=True))
