"""What every speech engine's process does before anything else. Runs in the child only."""

import logging
import os

NICE = 5
"""As llama-server's: the server and Postgres get the processor first."""


class _PlaceOnly(logging.Formatter):
    """Tells where something happened and of what kind, never what was said: it may quote a user."""

    def format(self, record: logging.LogRecord) -> str:
        told = f"{record.levelname} {record.name} {record.module}:{record.lineno}"
        if record.exc_info is None or record.exc_info[0] is None:
            return told
        kind, _, traceback = record.exc_info
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        code = "" if traceback is None else f" in {traceback.tb_frame.f_code.co_qualname}"
        return f"{told} {kind.__name__}{code}"


def settle() -> None:
    """Step back behind the server, and keep messages out of the log.

    A root logger that has a handler is left alone by the engine's own `basicConfig`, whose INFO holds every
    transcript. What ends the process at its start is told by the interpreter, in full: no text came by then.
    """
    os.nice(NICE)
    handler = logging.StreamHandler()
    handler.setFormatter(_PlaceOnly())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
