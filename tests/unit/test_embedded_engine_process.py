import subprocess
import sys

PROGRAM = """
import logging
from jarvis.embedded.engine_process import settle

settle()
logging.basicConfig(level=logging.INFO, format="%(message)s")  # what an engine does after that
log = logging.getLogger("engine")
log.info("crocodile")
log.warning("no such phoneme: %s", "crocodile")
try:
    raise ValueError("crocodile")
except ValueError as exc:
    log.exception("crocodile", exc_info=exc)
log.error("crocodile", exc_info=True)
import os
print(os.nice(0))
"""


def test_an_engine_logs_where_something_happened_and_not_what_was_said() -> None:
    before = "import os; print(os.nice(0))"
    niceness = int(subprocess.run([sys.executable, "-c", before], capture_output=True, check=True).stdout)
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    assert "crocodile" not in ran.stderr
    lines = ran.stderr.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["WARNING", "engine"],
        ["ERROR", "engine"],
        ["ERROR", "engine"],
    ]
    assert lines[1].endswith("ValueError in <module>")
    assert int(ran.stdout) == min(19, niceness + 5)
