"""Several providers: who may serve a generation, who served each job, and which of them are left alone for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("generations", sa.Column("providers", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("provider", sa.Text, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("sent_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("images", sa.Column("title", sa.Text, nullable=False, server_default=""))
    # Earlier versions knew one provider, and what is on its way was sent to that one.
    op.execute("UPDATE generations SET providers=provider")
    op.execute("UPDATE jobs SET provider=(SELECT g.provider FROM generations g WHERE g.id=jobs.generation)")
    op.create_table(
        "provider_health",
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )
