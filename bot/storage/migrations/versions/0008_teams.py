"""Teams, tiers, grants and links between the accounts of one person; what was spent by day; the dashboard's doors."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # there only what is called INTEGER counts by itself


def text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})  # type: ignore[arg-type]


def number(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})  # type: ignore[arg-type]


def key(*names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names)


def upgrade() -> None:
    _people()
    _teams()
    _money()
    _reading()
    _count_what_was()


def _people() -> None:
    """linked: what the linked accounts of one person have in common, "" for one that stands alone."""
    op.add_column("people", text("linked", server_default=""))
    linked = "linked <> ''"
    op.create_index(
        "people_linked", "people", ["linked"], sqlite_where=sa.text(linked), postgresql_where=sa.text(linked)
    )
    op.create_index("actors_person", "actors", ["person"])
    op.create_table(
        "link_codes", text("digest"), text("person"), number("expires_at"), number("used_at"), key("digest")
    )


def _teams() -> None:
    op.create_table(
        "teams",
        text("id"),
        text("space"),
        text("name"),
        text("same_name"),
        number("created_at"),
        number("closed_at", server_default="0"),
        key("id"),
    )
    alive = "closed_at = 0"
    op.create_index(
        "teams_name",
        "teams",
        ["space", "same_name"],
        unique=True,
        sqlite_where=sa.text(alive),
        postgresql_where=sa.text(alive),
    )
    op.create_table(
        "team_members",
        text("team"),
        text("person"),
        text("role"),
        text("source"),
        number("added_at"),
        key("team", "person", "source"),
    )
    op.create_index("team_members_person", "team_members", ["person"])
    op.create_table(
        "role_maps", text("space"), text("role"), text("name"), text("kind"), text("target"),
        key("space", "role", "kind", "target"),
    )  # fmt: skip
    op.create_table("tiers", text("space"), text("name"), text("rules"), key("space", "name"))
    op.create_table("tier_holders", text("space"), text("holder"), text("tier"), key("space", "holder"))
    op.add_column("generations", text("team", server_default=""))
    op.add_column("generations", number("in_flight", server_default="0"))


def _money() -> None:
    op.create_table(
        "grants",
        sa.Column("seq", BIG, primary_key=True, autoincrement=True),
        text("pool"),
        text("person"),
        text("unit"),
        number("amount"),
        number("until"),
        text("by"),
        text("by_name"),
        number("created_at"),
        number("ended_at", server_default="0"),
    )
    op.create_index("grants_person", "grants", ["person", "until"])
    op.create_index("grants_pool", "grants", ["pool", "until"])
    op.add_column("generations", number("refunded_at", server_default="0"))
    op.create_index("holds_account", "holds", ["account"])


def _reading() -> None:
    """What the dashboard, /usage, alerts and digests are drawn from, however many generations there are."""
    op.create_table(
        "usage_days",
        text("day"),
        text("space"),
        text("team"),
        text("person"),
        text("adapter"),
        text("provider"),
        text("model"),
        number("requests", server_default="0"),
        number("failed", server_default="0"),
        number("images", server_default="0"),
        number("usd", server_default="0"),
        key("day", "space", "team", "person", "adapter", "provider", "model"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latency_days",
        text("day"),
        text("space"),
        text("team"),
        text("provider"),
        text("model"),
        number("bucket"),
        number("n", server_default="0"),
        key("day", "space", "team", "provider", "model", "bucket"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "failure_days",
        text("day"),
        text("space"),
        text("team"),
        text("provider"),
        text("cause"),
        number("n", server_default="0"),
        key("day", "space", "team", "provider", "cause"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alerts", text("account"), text("unit"), text("win"), text("period"), number("percent"), number("at"),
        key("account", "unit", "win", "period", "percent"),
    )  # fmt: skip
    op.create_table(
        "dashboard_keys",
        text("digest"),
        text("kind"),
        text("person"),
        text("name"),
        text("space"),
        text("rights"),
        number("created_at"),
        number("expires_at"),
        number("used_at", server_default="0"),
        key("digest"),
    )
    op.create_table(
        "reviews",
        text("generation"),
        text("space"),
        text("room"),
        text("state"),
        text("by", server_default=""),
        text("by_name", server_default=""),
        number("at", server_default="0"),
        key("generation"),
    )
    op.create_index("audit_at", "audit", ["at"])
    op.create_index("generations_space", "generations", ["space", "seq"])
    op.create_index("generations_team", "generations", ["team", "seq"])
    op.create_index("entries_at", "entries", ["at"])


def _count_what_was() -> None:
    """What earlier versions made is counted, too, in days of UTC: in which zone the bot counts is not known here."""
    day = {
        "sqlite": "date(g.finished_at / 1000000, 'unixepoch')",
        "postgresql": "to_char(to_timestamp(g.finished_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    }[op.get_bind().dialect.name]
    took = "(g.finished_at - g.started_at) / 1000000.0"
    bounds = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610)
    cases = " ".join(f"WHEN {took} <= {bound} THEN {index}" for index, bound in enumerate(bounds))
    failed = "g.state IN ('failed', 'refused', 'unknown')"
    op.execute(
        "INSERT INTO usage_days (day, space, team, person, adapter, provider, model, requests, failed, images, usd)"
        f" SELECT {day}, g.space, '', g.person, g.adapter, g.provider, g.model, count(*),"
        f" sum(CASE WHEN {failed} THEN 1 ELSE 0 END), sum(g.charged), sum(coalesce(e.spent, 0))"
        " FROM generations g LEFT JOIN (SELECT generation, sum(spent) AS spent FROM entries"
        " WHERE account='all' AND unit='usd' GROUP BY generation) e ON e.generation=g.id"
        f" WHERE g.state='settled' OR {failed} OR (g.state='cancelled' AND g.started_at>0)"
        " GROUP BY 1, g.space, g.person, g.adapter, g.provider, g.model"
    )
    op.execute(
        "INSERT INTO latency_days (day, space, team, provider, model, bucket, n)"
        f" SELECT {day}, g.space, '', g.provider, g.model, CASE {cases} ELSE {len(bounds)} END, count(*)"
        " FROM generations g WHERE g.state='settled' AND g.started_at>0"
        " GROUP BY 1, g.space, g.provider, g.model, 6"
    )
    op.execute(
        "INSERT INTO failure_days (day, space, team, provider, cause, n)"
        f" SELECT {day}, g.space, '', g.provider, coalesce((SELECT j.error FROM jobs j WHERE j.generation=g.id"
        " AND j.error<>'' ORDER BY j.number LIMIT 1), g.state), count(*)"
        f" FROM generations g WHERE {failed} GROUP BY 1, g.space, g.provider, 5"
    )
