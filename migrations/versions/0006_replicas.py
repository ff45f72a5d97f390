"""What several processes on one database need: to learn that a turn is no longer theirs.

Revision ID: 0006
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("replicas/up")


def downgrade() -> None:
    run_script("replicas/down")
