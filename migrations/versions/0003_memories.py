"""What memories need to be found once, superseded, indexed and ranked.

Revision ID: 0003
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("memories/up")
    run_script("memories/recall")
    run_script("memories/erasure")


def downgrade() -> None:
    run_script("memories/erasure_undo")
    run_script("memories/recall_undo")
    run_script("memories/down")
