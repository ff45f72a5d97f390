"""Vectors that point anywhere, and who owns them, for tests of what keeps vectors."""

import random
from array import array
from uuid import UUID, uuid4

from jarvis.core.ports import Vector, VectorPoint, VectorSpace, VectorStore

DIMENSIONS = 32
SPACE = VectorSpace(model="model", version="1", dimensions=DIMENSIONS)
OTHER = VectorSpace(model="model", version="2", dimensions=48)
ANNE, BRUNO = uuid4(), uuid4()


def vector(seed: object, dimensions: int = DIMENSIONS) -> Vector:
    """Return a vector of length 1 that points somewhere else for every seed."""
    chance = random.Random(str(seed))  # noqa: S311 # no secret
    values = [chance.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    return array("f", [value / length for value in values])


def points(*seeds: object) -> list[VectorPoint]:
    return [VectorPoint(id=uuid4(), vector=vector(seed)) for seed in seeds]


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def ids_near(store: VectorStore, user_id: UUID, near: Vector, limit: int = 100) -> list[UUID]:
    return [found.id for found in await store.nearest(user_id, near, limit=limit)]
