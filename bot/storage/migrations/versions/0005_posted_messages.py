"""Which posting a platform's message belongs to: a posting may take several, and people reply to any of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "posted_messages",
        sa.Column("adapter", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("adapter", "message"),
    )
    op.execute(
        "INSERT INTO posted_messages (adapter, message, key)"
        " SELECT adapter, message, min(key) FROM postings WHERE message<>'' GROUP BY adapter, message"
    )
    op.drop_index("postings_message", "postings")
