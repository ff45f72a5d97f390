"""The control endpoints, for a server in its own process. They are not logged and obey no script."""

import msgspec

from tests.scripted_model.gates import Gates
from tests.scripted_model.log import Event, Log, Record
from tests.scripted_model.scripts import Playbook, Rule
from tests.scripted_model.wire import Request


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    gate: str | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    event: Event
    n: int = 1
    timeout_s: float = 10.0


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /__log__ answers."""

    records: list[Record]
    counts: dict[str, int]
    running: int
    peak: int


class Control:
    def __init__(self, playbook: Playbook, gates: Gates, log: Log) -> None:
        self._playbook = playbook
        self._gates = gates
        self._log = log

    async def obey(self, request: Request) -> tuple[int, bytes]:
        """Return status and JSON body."""
        try:
            return await self._obey(request)
        except msgspec.DecodeError as error:
            return 400, msgspec.json.encode({"error": str(error)})

    async def _obey(self, request: Request) -> tuple[int, bytes]:
        match request.method, request.path:
            case "POST", "/__script__":
                self._playbook.add(msgspec.json.decode(request.body, type=Rule))
            case "DELETE", "/__script__":
                self._playbook.clear()
            case "POST", "/__release__":
                asked = msgspec.json.decode(request.body or b"{}", type=Release)
                self._gates.release(asked.gate)
            case "GET", "/__log__":
                return 200, msgspec.json.encode(self._page(request.query.get("kind")))
            case "DELETE", "/__log__":
                self._log.clear()
            case "GET", "/__wait__":
                return await self._wait(msgspec.convert(request.query, Waiting, strict=False))
            case _:
                return 404, b'{"error":"no such control"}'
        return 200, b"{}"

    def _page(self, kind: str | None) -> LogPage:
        records = [record for record in self._log.records if kind in {None, record.kind}]
        counts = {str(event): count for event, count in self._log.counts.items()}
        return LogPage(records=records, counts=counts, running=self._log.running, peak=self._log.peak)

    async def _wait(self, waiting: Waiting) -> tuple[int, bytes]:
        try:
            await self._log.wait_for(
                lambda log: log.counts[waiting.event] >= waiting.n, timeout_s=waiting.timeout_s
            )
        except TimeoutError as error:
            return 408, msgspec.json.encode({"error": str(error)})
        return 200, msgspec.json.encode({"event": waiting.event, "n": self._log.counts[waiting.event]})


def is_control(path: str) -> bool:
    return path.startswith("/__")
