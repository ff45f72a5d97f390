"""What idempotency keys need: to be found by their age, and to be known when their conversation is deleted.

Revision ID: 0005
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("idempotency/up")


def downgrade() -> None:
    run_script("idempotency/down")
