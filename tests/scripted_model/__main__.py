"""`python -m tests.scripted_model`: the server as its own process, until SIGTERM or SIGINT.

Prints its URL on the first line once it listens. `--log FILE` appends a JSON line at each start and end.
"""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from tests.scripted_model.log import Event, Record
from tests.scripted_model.scripts import Script
from tests.scripted_model.server import ScriptedModel


class Arguments(argparse.Namespace):
    host: str
    port: int
    log: Path | None
    keep: int | None
    tokens: int | None
    tokens_per_s: float | None
    first_token_delay_s: float
    embedding_dimensions: int


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m tests.scripted_model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--log", type=Path, default=None)
    parser.add_argument("--keep", type=int, default=None, help="how many requests the log in memory keeps")
    parser.add_argument("--tokens", type=int, default=None, help="words in a default answer")
    parser.add_argument("--tokens-per-s", type=float, default=None)
    parser.add_argument("--first-token-delay-s", type=float, default=0.0)
    parser.add_argument("--embedding-dimensions", type=int, default=64)
    return parser.parse_args(namespace=Arguments())


async def serve(arguments: Arguments, on_event: Callable[[Event, Record], None] | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    default = Script(
        tokens=arguments.tokens,
        tokens_per_s=arguments.tokens_per_s,
        first_token_delay_s=arguments.first_token_delay_s,
    )
    server = ScriptedModel(
        host=arguments.host,
        port=arguments.port,
        default=default,
        embedding_dimensions=arguments.embedding_dimensions,
        keep=arguments.keep,
        on_event=on_event,
    )
    async with server:
        print(server.url, flush=True)  # noqa: T201 - the line a parent process waits for
        await stop.wait()


def append_to(file: BinaryIO) -> Callable[[Event, Record], None]:
    def append(event: Event, record: Record) -> None:
        if event in {"started", "ended"}:
            file.write(msgspec.json.encode({"event": event, "record": record}) + b"\n")
            file.flush()

    return append


def main() -> None:
    arguments = parse_arguments()
    with contextlib.ExitStack() as stack:
        on_event = None
        if arguments.log is not None:
            on_event = append_to(stack.enter_context(arguments.log.open("ab")))
        asyncio.run(serve(arguments, on_event))


if __name__ == "__main__":
    main()
