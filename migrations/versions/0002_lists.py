"""Counts and titles that lists can read, and a search that pages.

Revision ID: 0002
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("lists/up")


def downgrade() -> None:
    run_script("lists/down")
