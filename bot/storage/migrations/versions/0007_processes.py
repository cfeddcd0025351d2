"""Several processes: who is there, and who works on what until when."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BEING_POSTED = "state = 'posting'"


def upgrade() -> None:
    for table in ("inbox", "postings"):
        op.add_column(table, sa.Column("owner", sa.Text, nullable=False, server_default=""))
        op.add_column(table, sa.Column("lease_until", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("postings", sa.Column("attempt", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "postings_posting",
        "postings",
        ["state"],
        sqlite_where=sa.text(BEING_POSTED),
        postgresql_where=sa.text(BEING_POSTED),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
