"""The first schema, which adopts the tables of the earlier Rust server with their rows.

Revision ID: 0001
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for step in ("roles", "set_aside", "search", "tables", "copy_adopted", "row_security", "functions"):
        run_script(f"first/{step}")


def downgrade() -> None:
    """Puts adopted tables back as they were; what was said since is dropped."""
    run_script("first/undo")
