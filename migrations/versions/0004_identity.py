"""Accounts that sign in: sessions, API keys and the audit log.

Revision ID: 0004
"""

from jarvis.adapters.postgres.migrations import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("identity/up")
    run_script("identity/functions")


def downgrade() -> None:
    run_script("identity/down")
