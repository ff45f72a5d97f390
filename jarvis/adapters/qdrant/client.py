"""One collection of a Qdrant server, through the official client; the only module that imports it.

Knows no deadlines: its caller has them. Importing it takes 0.5 s and 91 MB.
"""

import asyncio
import contextlib
from collections.abc import Generator, Sequence
from uuid import UUID

import msgspec
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from jarvis.adapters.qdrant.spaces import NAME, space_name
from jarvis.core.errors import Unavailable
from jarvis.core.ports import Nearby, Vector, VectorPoint, VectorSpace

BATCH = 64
"""Points in one request: encoding more at once would hold up the loop (64 of 512 dimensions: 3 ms)."""

_USER = "user_id"
_SPACE = "jarvis_space"
_TIMEOUT_S = 60
_LOOK_AGAIN_S = 0.2
_EAGER = models.OptimizersConfigDiff(deleted_threshold=0, vacuum_min_vector_number=100)
_USUAL = models.OptimizersConfigDiff(deleted_threshold=0.2, vacuum_min_vector_number=1000)


def connect(url: str, api_key: str | None) -> AsyncQdrantClient:
    return AsyncQdrantClient(
        url,
        # As the parameter `api_key` it would bring a warning where the server is asked without TLS.
        headers={"api-key": api_key} if api_key else {},
        timeout=_TIMEOUT_S,
        check_compatibility=False,  # a thread of its own at every start, for a warning
        trust_env=False,
    )


class Collection:
    """The vectors of one space. Every method raises Unavailable("memory", ...)."""

    def __init__(self, client: AsyncQdrantClient, prefix: str, space: VectorSpace) -> None:
        self._client = client
        self._prefix = prefix
        self._space = space
        self._metadata = {_SPACE: msgspec.to_builtins(space)}
        self._name = f"{prefix}_{space_name(space)}"

    async def look(self) -> None:
        """Return when the server answers."""
        with qdrant_errors():
            await self._client.collection_exists(self._name)

    async def make(self, *, anew: bool) -> bool:
        """Create it if need be, or after dropping what there is; return whether it is empty."""
        with qdrant_errors():
            is_there = await self._client.collection_exists(self._name)
            if is_there and anew:
                await self._client.delete_collection(self._name)
            if anew or not is_there:
                await self._create()
            await self._check()
            await self._client.create_payload_index(
                self._name,
                _USER,
                models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
            )
            return (await self._client.count(self._name, exact=True)).count == 0

    async def put(self, user_id: UUID, points: Sequence[VectorPoint]) -> None:
        payload = {_USER: str(user_id)}
        for first in range(0, len(points), BATCH):
            made = [
                models.PointStruct(id=str(point.id), vector=list(point.vector), payload=payload)
                for point in points[first : first + BATCH]
            ]
            with qdrant_errors():
                await self._client.upsert(self._name, made, wait=True, update_filter=_of(user_id))

    async def nearest(self, user_id: UUID, vector: Vector, limit: int) -> list[Nearby]:
        return await self._query(_of(user_id), vector, limit) if limit > 0 else []

    async def similarities(self, user_id: UUID, vector: Vector, ids: Sequence[UUID]) -> list[Nearby]:
        return await self._query(_of(user_id, ids), vector, len(ids)) if ids else []

    async def delete(self, user_id: UUID, ids: Sequence[UUID] | None = None) -> None:
        """Drop these of the user's vectors; None: all."""
        with qdrant_errors():
            which = models.FilterSelector(filter=_of(user_id, ids))
            await self._client.delete(self._name, which, wait=True)

    async def purge(self) -> None:
        """Have the server rewrite its segments now; it would at 20 % of deleted vectors by itself."""
        with qdrant_errors():
            await self._client.update_collection(self._name, optimizers_config=_EAGER)
            while await self._status() is not models.CollectionStatus.GREEN:  # noqa: ASYNC110 # in the server
                await asyncio.sleep(_LOOK_AGAIN_S)
            await self._client.update_collection(self._name, optimizers_config=_USUAL)

    async def drop_others(self) -> None:
        with qdrant_errors():
            for other in (await self._client.get_collections()).collections:
                prefix, _, name = other.name.rpartition("_")
                if prefix == self._prefix and NAME.fullmatch(name) and other.name != self._name:
                    await self._client.delete_collection(other.name)

    async def ping(self) -> None:
        with qdrant_errors():
            if not await self._client.collection_exists(self._name):
                raise _gone()

    async def _status(self) -> models.CollectionStatus:
        return (await self._client.get_collection(self._name)).status

    async def _create(self) -> None:
        try:
            await self._client.create_collection(
                self._name,
                vectors_config=models.VectorParams(
                    size=self._space.dimensions, distance=models.Distance.COSINE
                ),
                # Qdrant's advice for many tenants: no graph over all, one for each user who has many.
                hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),
                metadata=self._metadata,
            )
        except UnexpectedResponse as exc:
            # Another replica was faster.
            if exc.status_code != 409:
                raise

    async def _check(self) -> None:
        config = (await self._client.get_collection(self._name)).config
        vectors = config.params.vectors
        fits = isinstance(vectors, models.VectorParams) and vectors.size == self._space.dimensions
        # Servers before 1.16 keep no metadata.
        if not fits or (config.metadata or self._metadata) != self._metadata:
            raise Unavailable("memory", "The Qdrant server's collection holds vectors of another kind.")

    async def _query(self, among: models.Filter, vector: Vector, limit: int) -> list[Nearby]:
        with qdrant_errors():
            found = await self._client.query_points(
                self._name, list(vector), query_filter=among, limit=limit, with_payload=False
            )
        return [_nearby(point) for point in found.points]


@contextlib.contextmanager
def qdrant_errors() -> Generator[None]:
    """Turn what the client raises into Unavailable."""
    try:
        yield
    except UnexpectedResponse as exc:
        raise _refusal(exc.status_code) from exc
    except ResponseHandlingException as exc:
        raise Unavailable("memory", "The Qdrant server cannot be reached.") from exc
    except QdrantException as exc:
        raise Unavailable("memory", "The Qdrant server is busy.") from exc
    except (ApiException, ValueError, RuntimeError) as exc:
        # The local mode knows only the last two.
        raise Unavailable("memory", "The Qdrant server failed.") from exc


def _refusal(status: int | None) -> Unavailable:
    match status:
        case 401 | 403:
            return Unavailable("memory", "The Qdrant server refused the key; check the key in the settings.")
        case 404:
            return _gone()
        case _:
            return Unavailable("memory", "The Qdrant server failed.")


def _gone() -> Unavailable:
    return Unavailable("memory", "The Qdrant server has lost the vectors.")


def _of(user_id: UUID, ids: Sequence[UUID] | None = None) -> models.Filter:
    mine = models.FieldCondition(key=_USER, match=models.MatchValue(value=str(user_id)))
    if ids is None:
        return models.Filter(must=[mine])
    return models.Filter(must=[mine, models.HasIdCondition(has_id=[str(each) for each in ids])])


def _nearby(point: models.ScoredPoint) -> Nearby:
    # Rounding takes the score of equal vectors a little above 1.
    return Nearby(id=UUID(str(point.id)), similarity=max(-1.0, min(1.0, point.score)))
