"""Since when nobody knows whether a posting stands: some platforms forget the key of a message after an hour."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("postings", sa.Column("tried_at", sa.BigInteger, nullable=False, server_default="0"))
