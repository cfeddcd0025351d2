"""The request core: people, ledger, inbox, generations, postings.

Times are microseconds since 1970 (UTC), money is micro-USD, JSON is text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})  # type: ignore[arg-type]


def number(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})  # type: ignore[arg-type]


def sequence(name: str) -> sa.Column[int]:
    """Counts by itself; on SQLite only what is called INTEGER does."""
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


def partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    """With the very condition of the statement that needs it: SQLite proves nothing more."""
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def key(*names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names)


def upgrade() -> None:
    _people()
    _ledger()
    _generations()
    _postings()


def _people() -> None:
    op.create_table("meta", text("name"), text("value"), key("name"))
    op.execute("INSERT INTO meta (name, value) VALUES ('turn', '0')")
    op.create_table(
        "people",
        text("id"),
        text("name"),
        text("settings", server_default="{}"),
        number("turn", server_default="0"),
        number("created_at"),
        key("id"),
    )
    op.create_table("actors", text("adapter"), text("user_id"), text("person"), key("adapter", "user_id"))


def _ledger() -> None:
    op.create_table(
        "limits",
        text("account"),
        text("unit"),
        text("win"),
        number("amount", nullable=True),
        key("account", "unit", "win"),
    )
    op.create_table(
        "balances",
        text("account"),
        text("unit"),
        text("win"),
        text("period"),
        number("held", server_default="0"),
        number("spent", server_default="0"),
        key("account", "unit", "win", "period"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holds",
        text("generation"),
        text("account"),
        text("unit"),
        number("amount"),
        text("state"),
        text("day"),
        text("week"),
        text("month"),
        key("generation", "account", "unit"),
        sqlite_with_rowid=False,
    )
    partial_index("holds_possible", "holds", ["state"], "state = 'possible'")
    op.create_table(
        "entries",
        text("generation"),
        text("kind"),
        text("account"),
        text("unit"),
        number("held"),
        number("spent"),
        number("at"),
        text("reason", server_default=""),
        key("generation", "kind", "account", "unit"),
        sqlite_with_rowid=False,
    )


def _generations() -> None:
    op.create_table(
        "inbox",
        text("id"),
        text("adapter"),
        text("raw"),
        text("state"),
        text("generation", server_default=""),
        number("received_at"),
        key("id"),
    )
    partial_index("inbox_open", "inbox", ["state"], "state = 'received'")
    op.create_table(
        "generations",
        sequence("seq"),
        text("id", unique=True),
        text("invocation", unique=True),
        text("person"),
        text("person_name"),
        text("space"),
        text("adapter"),
        text("language"),
        text("request"),
        text("provider"),
        text("model"),
        number("count"),
        number("price"),
        text("parent", server_default=""),
        number("parent_index", server_default="0"),
        text("others", server_default="[]"),
        text("notes", server_default="[]"),
        number("private", server_default="0"),
        text("state"),
        number("attempt", server_default="0"),
        number("tries", server_default="0"),
        number("priority", server_default="0"),
        text("owner", server_default=""),
        number("lease_until", server_default="0"),
        number("run_after", server_default="0"),
        number("cancelled", server_default="0"),
        number("made", server_default="0"),
        number("charged", server_default="0"),
        text("failure", server_default=""),
        number("created_at"),
        number("started_at", server_default="0"),
        number("finished_at", server_default="0"),
        number("deleted_at", server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_index("generations_open", "generations", ["state"])
    op.create_index("generations_person", "generations", ["person", "seq"])
    op.create_index("generations_parent", "generations", ["parent"])
    op.create_table(
        "jobs",
        text("generation"),
        number("number"),
        text("state"),
        text("ticket", server_default=""),
        text("error", server_default=""),
        text("failure", server_default=""),
        number("missing", server_default="0"),
        key("generation", "number"),
    )
    op.create_table(
        "images",
        text("generation"),
        number("position"),
        number("job"),
        text("blob"),
        text("media_type"),
        number("width"),
        number("height"),
        number("size"),
        number("price"),
        text("state"),
        key("generation", "position"),
    )
    op.create_index("images_blob", "images", ["blob"])
    op.create_table("blobs", text("key"), number("size"), number("used_at"), key("key"))
    op.create_index("blobs_used", "blobs", ["used_at"])
    op.create_table("rates", text("provider"), number("full_at"), key("provider"))


def _postings() -> None:
    op.create_table(
        "postings",
        text("key"),
        text("generation"),
        text("adapter"),
        text("place"),
        text("state"),
        number("wanted"),
        number("shown", server_default="0"),
        text("message", server_default=""),
        number("tries", server_default="0"),
        number("next_at", server_default="0"),
        text("problem", server_default=""),
        key("key"),
    )
    partial_index("postings_to_post", "postings", ["state"], "state = 'to post'")
    partial_index("postings_kept", "postings", ["state"], "state = 'kept'")
    op.create_index("postings_generation", "postings", ["generation"])
    op.create_index("postings_message", "postings", ["adapter", "message"])
    op.create_table(
        "events",
        sequence("seq"),
        text("generation"),
        number("at"),
        text("kind"),
        text("detail", server_default=""),
    )
    op.create_index("events_generation", "events", ["generation", "seq"])
