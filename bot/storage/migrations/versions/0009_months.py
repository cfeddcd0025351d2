"""Who rules a space; who has typed a code and is asked whether it is meant; sums by month; who is offered a 4K."""

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
    op.add_column("generations", number("grows", server_default="1"))
    _months()


def _people() -> None:
    """space_admins: those who were seen as admins of a space, and when last, more or less."""
    op.create_table(
        "space_admins", text("space"), text("person"), number("seen_at"), key("space", "person")
    )  # fmt: skip
    op.create_index("space_admins_person", "space_admins", ["person"])
    op.add_column("link_codes", text("typed_by", server_default=""))


def _months() -> None:
    """The sums of usage_days by month, in two narrow tables: together they answer what is asked of a long time, and
    neither has a row for each person and model. seen: the last day of the month that has a row.
    """
    op.create_table(
        "usage_months",
        *(text(name) for name in ("month", "space", "team", "adapter", "provider", "model")),
        *(number(name, server_default="0") for name in ("requests", "failed", "images", "usd")),
        key("month", "space", "team", "adapter", "provider", "model"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "person_months",
        *(text(name) for name in ("month", "space", "team", "person", "seen")),
        *(number(name, server_default="0") for name in ("requests", "failed", "images", "usd")),
        key("month", "space", "team", "person"),
        sqlite_with_rowid=False,
    )
    op.create_index("person_months_person", "person_months", ["person"])
    op.create_index("usage_days_person", "usage_days", ["person", "day"])
    sums = "sum(requests), sum(failed), sum(images), sum(usd) FROM usage_days"
    op.execute(
        "INSERT INTO usage_months (month, space, team, adapter, provider, model, requests, failed, images, usd)"
        f" SELECT substr(day, 1, 7), space, team, adapter, provider, model, {sums} GROUP BY 1, 2, 3, 4, 5, 6"
    )
    op.execute(
        "INSERT INTO person_months (month, space, team, person, seen, requests, failed, images, usd)"
        f" SELECT substr(day, 1, 7), space, team, person, max(day), {sums} GROUP BY 1, 2, 3, 4"
    )
