"""The local chat page's own messages, as a chat platform would keep them.

Every change takes the next revision, in the same transaction: a page that says which revision it has seen is sent
exactly what is newer.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})  # type: ignore[arg-type]


def number(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})  # type: ignore[arg-type]


def upgrade() -> None:
    op.create_table(
        "chat_messages",
        text("id"),
        text("room"),
        text("author"),
        number("bot"),
        number("at"),
        text("words", server_default=""),
        text("language", server_default=""),
        text("uploads", server_default="[]"),
        text("reply_to", server_default=""),
        text("press", nullable=True),
        text("key", nullable=True, unique=True),
        text("reply", nullable=True),
        text("private_to", server_default=""),
        number("born"),
        number("revision"),
        number("removed", server_default="0"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chat_messages_room", "chat_messages", ["room", "born"])
    op.create_index("chat_messages_revision", "chat_messages", ["revision"])
    op.create_index("chat_messages_reply_to", "chat_messages", ["reply_to"])
    op.create_table("chat_revisions", number("id"), number("last"), sa.PrimaryKeyConstraint("id"))
    op.execute("INSERT INTO chat_revisions (id, last) VALUES (1, 0)")
