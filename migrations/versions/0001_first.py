"""The first schema, which adopts the tables of the earlier Rust server with their rows.

Revision ID: 0001
"""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCRIPTS = Path(__file__).parents[1] / "first"


def upgrade() -> None:
    for step in ("roles", "set_aside", "search", "tables", "copy_adopted", "row_security", "functions"):
        _run(step)


def downgrade() -> None:
    """Puts adopted tables back as they were; what was said since is dropped."""
    _run("undo")


def _run(step: str) -> None:
    script = (SCRIPTS / f"{step}.sql").read_text(encoding="utf-8")
    # The driver's own connection: a script of many statements cannot be prepared.
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", script))
