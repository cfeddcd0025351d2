"""Who rules a space; who has typed a code and is asked whether it is meant; what was spent by month."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})  # type: ignore[arg-type]


def number(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})  # type: ignore[arg-type]


def key(*names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names)


def upgrade() -> None:
    _people()


def _people() -> None:
    """space_admins: those who were seen as admins of a space, and when last, more or less."""
    op.create_table(
        "space_admins", text("space"), text("person"), number("seen_at"), key("space", "person")
    )  # fmt: skip
    op.create_index("space_admins_person", "space_admins", ["person"])
    op.add_column("link_codes", text("typed_by", server_default=""))
