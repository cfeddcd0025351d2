"""On which accounts a request draws, and whose limit holds on each of them."""

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from bot.audit import By
from bot.errors import NotAllowed, QuotaExceeded
from bot.i18n import say
from bot.quota import grants, ledger, standing
from bot.quota.limits import Account, Policy, admins_limit, members_default
from bot.quota.standing import Payer, Rules
from bot.quota.tiers import Asked, Tier
from tests.bot.quota.books import Books, payer
from tests.bot.quota.test_ledger import NOON

DAILY: Policy = {("person", "images", "day"): 10, ("space", "images", "month"): 100}
OPERATORS = Tier(name="basic", limits={("images", "day"): 5}, size="2K", in_flight=1, priority=3)


def rules(policy: Policy = DAILY, now: datetime = NOON, **tiers: Tier) -> Rules:
    return Rules(policy=policy, now=now, zone="UTC", tiers=tiers)


def cap(books: Books, account: str, who: Payer | None = None, unit: str = "images", window: str = "day") -> int | None:
    found = books.do(standing.of, who or payer(), rules())
    return found.caps.get((account, unit, window))


def names(books: Books, who: Payer) -> list[str]:
    return [account.name for account in books.do(standing.of, who, rules()).accounts]


def test_a_person_alone_draws_on_everyone_the_space_and_two_of_their_own(books: Books) -> None:
    assert names(books, payer()) == ["all", "person:bob", "share:space:team/bob", "space:team"]


def test_linked_accounts_draw_together_wherever_one_of_them_asks(books: Books) -> None:
    for person in ("bob", "robert"):
        books.person(person, linked="one")
    books.person("eve")

    assert names(books, payer("bob")) == [
        "all",
        "person:bob",
        "person:robert",
        "share:space:team/bob",
        "space:team",
    ]
    assert "person:bob" in names(books, payer("robert", space="elsewhere"))
    assert names(books, payer("eve")) == ["all", "person:eve", "share:space:team/eve", "space:team"]


def test_a_team_pays_from_its_pool_and_the_share_of_the_account_that_is_in_it(books: Books) -> None:
    for person in ("bob", "robert"):
        books.person(person, linked="one")
    books.team("red", "robert")

    found = names(books, payer("bob", team="red"))
    assert found == [
        "all",
        "person:bob",
        "person:robert",
        "share:space:team/bob",
        "share:team:red/robert",
        "space:team",
        "team:red",
    ]


@pytest.mark.parametrize("team", ["red", "nowhere"])
def test_who_is_not_in_the_team_cannot_have_it_pay(books: Books, team: str) -> None:
    books.team("red", "eve")

    with pytest.raises(NotAllowed):
        books.do(standing.of, payer("bob", team=team), rules())


def test_a_closed_team_pays_nothing(books: Books) -> None:
    books.team("red", "bob")
    books.connection.execute("UPDATE teams SET closed_at=1")

    with pytest.raises(NotAllowed, match="closed"):
        books.do(standing.of, payer(team="red"), rules())


def test_an_own_limit_goes_before_a_tier_and_a_tier_before_the_usual_one(books: Books) -> None:
    assert cap(books, "person:bob") == 10
    books.tier(OPERATORS, "person:bob")
    assert cap(books, "person:bob") == 5
    books.do(ledger.set_limit, "person:bob", "images", "day", 7)
    assert cap(books, "person:bob") == 7
    books.do(ledger.set_limit, "person:bob", "images", "day", None)
    assert cap(books, "person:bob") is None
    assert books.do(ledger.clear_limit, "person:bob", "images", "day")
    assert not books.do(ledger.clear_limit, "person:bob", "images", "day")
    assert cap(books, "person:bob") == 5


def test_the_usual_limit_of_a_person_gives_way_to_what_the_admins_of_the_space_set(books: Books) -> None:
    books.do(ledger.set_limit, "share:space:team/bob", "images", "day", 30)

    assert cap(books, "share:space:team/bob") == 30
    assert cap(books, "person:bob") is None
    assert cap(books, "person:bob", payer(space="elsewhere")) == 10
    books.do(ledger.set_limit, "person:bob", "images", "day", 3)  # the operator's always holds
    assert cap(books, "person:bob") == 3


def test_a_tier_of_the_space_holds_on_the_share_there_alone(books: Books) -> None:
    books.tier(Tier(name="guests", space="team", limits={("images", "day"): 2}), "person:bob")

    assert cap(books, "share:space:team/bob") == 2
    assert cap(books, "person:bob") == 10
    assert cap(books, "share:space:elsewhere/bob", payer(space="elsewhere")) is None


def test_admins_may_lower_what_their_space_has_and_never_raise_it(books: Books) -> None:
    books.do(ledger.set_limit, admins_limit("team").name, "images", "month", 40)
    assert cap(books, "space:team", window="month") == 40
    books.do(ledger.set_limit, admins_limit("team").name, "images", "month", 4000)
    assert cap(books, "space:team", window="month") == 100
    books.do(ledger.set_limit, "space:team", "images", "month", None)
    assert cap(books, "space:team", window="month") == 4000


def test_a_members_share_is_their_own_or_the_one_of_every_member(books: Books) -> None:
    books.team("red", "bob", "eve")
    books.do(ledger.set_limit, members_default("red").name, "images", "day", 4)
    books.do(ledger.set_limit, "share:team:red/eve", "images", "day", 9)

    assert cap(books, "share:team:red/bob", payer(team="red")) == 4
    assert cap(books, "share:team:red/eve", payer("eve", team="red")) == 9
    assert cap(books, "team:red", payer(team="red")) is None


@pytest.mark.parametrize("holder", ["person:bob", "space:team", "team:red", "role:vip", "role:team/vip"])
def test_a_tier_is_held_by_oneself_or_ones_team_space_or_role(books: Books, holder: str) -> None:
    books.team("red", "bob", "eve")
    books.tier(OPERATORS, holder)

    held = books.do(standing.of, payer(team="red", roles=("vip",)), rules())
    assert held.tier == OPERATORS
    assert (held.in_flight, held.priority) == (1, 3)
    others = books.do(standing.of, payer("eve", space="elsewhere"), rules())
    assert (others.tier, others.in_flight, others.priority) == (None, 0, 0)


def test_the_best_of_several_tiers_holds(books: Books) -> None:
    books.tier(OPERATORS, "space:team")
    books.tier(Tier(name="gold", rank=2, limits={("images", "day"): 50}), "role:vip")
    books.tier(Tier(name="silver", rank=1, limits={("images", "day"): 20}), "person:bob")

    assert cap(books, "person:bob", payer(roles=("vip",))) == 50
    assert cap(books, "person:bob") == 20
    assert cap(books, "person:eve", payer("eve")) == 5


def test_a_role_that_a_space_maps_gives_a_tier_of_that_space(books: Books) -> None:
    books.tier(Tier(name="guests", space="team", limits={("images", "day"): 2}, in_flight=9, priority=9))
    books.connection.execute("INSERT INTO role_maps VALUES ('team', 'vip', 'VIP', 'tier', 'guests')")

    held = books.do(standing.of, payer(roles=("vip",)), rules())
    assert [tier.name for tier in held.tiers] == ["guests"]
    assert (held.in_flight, held.priority) == (0, 0)  # the line is the operator's
    assert books.do(standing.of, payer(roles=("vip",), space="elsewhere"), rules()).tiers == ()


def test_a_tier_of_the_settings_may_be_replaced_and_a_dropped_one_is_nobodys(books: Books) -> None:
    books.connection.execute("INSERT INTO tier_holders VALUES ('', 'person:bob', 'basic')")
    assert books.do(standing.of, payer(), rules()).tier is None
    assert books.do(standing.of, payer(), rules(basic=OPERATORS)).tier == OPERATORS

    books.tier(Tier(name="basic", rank=5))
    assert books.do(standing.of, payer(), rules(basic=OPERATORS)).tier == Tier(name="basic", rank=5)


def test_what_a_tier_does_not_include_is_refused_with_the_one_that_does(books: Books) -> None:
    books.tier(OPERATORS, "person:bob")
    books.tier(Tier(name="gold", rank=2))
    found = books.do(standing.of, payer(), rules())

    with pytest.raises(NotAllowed) as refused:
        books.do(standing.check, found, Asked(size="4K"), rules())
    assert say(refused.value.text, "en") == "The tier basic goes up to 2K. gold allows it."
    books.do(standing.check, found, Asked(size="2K"), rules())


def test_a_windows_zone_is_that_of_the_one_whose_account_it_is(books: Books) -> None:
    books.moved(("Pacific/Kiritimati", datetime(2026, 1, 1, tzinfo=UTC)))
    books.moved(("Etc/GMT+12", datetime(2026, 1, 1, tzinfo=UTC)), space="home")
    books.team("red", "bob", space="home")
    late = datetime(2026, 11, 30, 11, tzinfo=UTC)

    books.generation("g")
    books.connection.execute("UPDATE generations SET team='red'")
    books.do(ledger.hold, "g", payer(team="red"), {"images": 1, "usd": 0}, rules(now=late))
    days = {row["account"]: row["day"] for row in books.connection.rows("SELECT account, day FROM holds")}
    assert days == {
        "all": "2026-11-30",
        "person:bob": "2026-11-30",
        "share:space:team/bob": "2026-12-01",
        "space:team": "2026-12-01",
        "share:team:red/bob": "2026-11-29",
        "team:red": "2026-11-29",
    }
    assert books.problems() == ()


HERE, HOME, OPERATOR = "an admin of this space", "an admin of the team's space", "the bot's operator"
LOCAL, MEMBERS, SHARE = "local:space:team", "share:team:red", "share:space:team/bob"


@pytest.mark.parametrize(
    ("limits", "team", "who"),
    [
        ({"all": 2}, "red", OPERATOR),
        ({"policy all": 2}, "", OPERATOR),
        # A space: what its admins set below the operator's they can raise up to that.
        ({"space:team": 2}, "red", OPERATOR),
        ({"policy space": 2}, "", OPERATOR),
        ({LOCAL: 2}, "", HERE),
        ({LOCAL: 2, "policy space": 9}, "", HERE),
        ({LOCAL: 2, "policy space": 2}, "", OPERATOR),
        ({LOCAL: 9, "space:team": 2}, "", OPERATOR),
        ({LOCAL: 2, "space:team": None, "policy space": 1}, "", HERE),
        ({"policy space": 2, "alone": 1}, "", OPERATOR),
        # A team: an owner divides what it has.
        ({"team:red": 2}, "red", HOME),
        ({"share:team:red/bob": 2}, "red", "Ann, Eve"),
        ({MEMBERS: 2}, "red", "Ann, Eve"),
        ({MEMBERS: 2, "orphaned": 1}, "red", HOME),
        # A person: what the operator set for them by name or by a tier, and what is usual.
        ({"person:bob": 2}, "red", OPERATOR),
        ({"operators tier": 2}, "red", OPERATOR),
        ({"spaces tier": 2}, "red", HERE),
        ({SHARE: 2}, "red", HERE),
        ({SHARE: 2, "policy person": 1}, "red", HERE),
        ({"policy person": 2}, "", HERE),
        ({"policy person": 2}, "red", f"Ann, Eve or {HERE}"),
        ({"policy person": 2, "orphaned": 1}, "red", HERE),
        ({"policy person": 2, "alone": 1}, "", OPERATOR),
        ({"policy person": 2, "alone": 1}, "red", "Ann, Eve"),
        # No grant but the operator's stands in for it any more, and an admin's limit still does.
        ({"policy person": 2, "month person:bob": 50}, "red", HERE),
        ({"policy person": 2, "month person:bob": 50, "alone": 1}, "red", OPERATOR),
    ],
)
def test_a_refusal_says_who_can_give_more(books: Books, limits: dict[str, int | None], team: str, who: str) -> None:
    for person in ("ann", "eve", "bob"):
        books.person(person)
    books.team("red", "bob", "eve", "ann")
    if "orphaned" not in limits:
        books.connection.execute("UPDATE team_members SET role='owner' WHERE person IN ('ann', 'eve')")
    space = "chat/dm:bob" if "alone" in limits else "team"
    policy: dict[tuple[str, str, str], int | None] = {}
    for name, amount in limits.items():
        match name.split():
            case ["policy", kind]:
                policy[kind, "images", "week"] = amount
            case ["month", account]:
                books.do(ledger.set_limit, account, "images", "month", amount)
            case [whose, "tier"]:
                tier = Tier(name="t", space="team" if whose == "spaces" else "", limits={("images", "week"): amount})
                books.tier(tier, "person:bob")
                books.connection.execute("UPDATE tier_holders SET space=:space", space=tier.space)
            case [account] if ":" in account or account == "all":
                books.do(ledger.set_limit, account, "images", "week", amount)
    now, asking = rules(policy), payer(team=team, space=space)

    with pytest.raises(QuotaExceeded) as refused:
        books.do(ledger.hold, "g", asking, {"images": 3, "usd": 0}, now)
    said = say(refused.value.text, "en")
    assert f"; {who} can give more." in said
    assert "2 left of 2 pictures a week, and this needs 3 pictures" in said
    account = said.partition(":")[0]
    (line,) = (
        each
        for each in books.do(ledger.lines, asking, now)
        if (say(each.name, "en"), each.unit, each.window, each.limit) == (account, "images", "week", 2)
    )
    assert line.who is not None
    assert say(line.who, "en") == who


@pytest.mark.parametrize(
    ("pool", "monthly", "taken"),
    [("", None, True), ("space:team", None, True), ("team:red", None, True), ("", 50, True), ("space:team", 50, False)],
)
def test_whoever_is_named_for_the_usual_limit_can_give_more(
    books: Books, pool: str, monthly: int | None, taken: bool
) -> None:
    """By a limit in the space, or by a grant out of a pool: but for that where the operator has limited the person."""
    books.person("bob")
    books.team("red", "bob")
    usual = rules({("person", "images", "week"): 2})
    if monthly:
        books.do(ledger.set_limit, "person:bob", "images", "month", monthly)
    if pool:
        given = {"pool": pool, "person": "bob", "unit": "images", "amount": 1, "until": 2 * usual.at}
        books.do(grants.give, **given, by=By("ann", "Ann"), at=0)
    else:
        books.do(ledger.set_limit, SHARE, "images", "week", 3)

    with nullcontext() if taken else pytest.raises(QuotaExceeded):
        books.do(ledger.hold, "g", payer(team="red"), {"images": 3, "usd": 0}, usual)


def test_lines_show_what_is_limited_with_the_names_of_the_accounts(books: Books) -> None:
    books.team("red", "bob")
    books.do(ledger.set_limit, "team:red", "usd", "month", 1_000_000)

    lines = books.do(ledger.lines, payer(team="red"), rules())
    assert [(line.account, line.unit, line.window, line.limit, line.period) for line in lines] == [
        ("person:bob", "images", "day", 10, "2026-11-30"),
        ("person:bob", "images", "total", None, "all"),
        ("person:bob", "usd", "total", None, "all"),
        ("space:team", "images", "month", 100, "2026-11"),
        ("team:red", "usd", "month", 1_000_000, "2026-11"),
    ]
    assert say(lines[-1].name, "en") == "Team red"


def test_accounts_can_be_read_by_their_names_alone(books: Books) -> None:
    books.person("bob")
    books.team("red", "bob")
    books.tier(OPERATORS, "person:bob")
    books.do(ledger.set_limit, members_default("red").name, "images", "day", 4)

    wanted = ("person:bob", "share:team:red/bob", "team:red", "space:team", "all")
    lines = books.do(ledger.account_lines, wanted, rules())
    limited = {line.account: (say(line.name, "en"), line.limit) for line in lines if line.limit is not None}
    assert limited == {
        "person:bob": ("Bob", 5),
        "share:team:red/bob": ("Bob's share of red", 4),
        "space:team": ("This space", 100),
    }
    assert {line.account for line in lines if line.window == "total" and line.unit == "usd"} == set(wanted)


class Counting:
    """A connection that counts the ways to the server and back."""

    def __init__(self, books: Books) -> None:
        self._connection = books.connection
        self.ways = 0

    def __getattr__(self, name: str) -> object:
        self.ways += 1
        return getattr(self._connection, name)


def test_a_person_alone_is_held_in_few_ways_to_the_server(books: Books) -> None:
    books.generation("before")
    books.do(ledger.hold, "before", payer(), {"images": 1, "usd": 1}, rules())
    counting = Counting(books)

    ledger.hold(counting, "g", payer(), {"images": 1, "usd": 1}, rules())  # type: ignore[arg-type]
    # The linked and the space, tiers, limits, grants; the balances, the holds and the entries.
    assert counting.ways == 7


def test_names_of_accounts_can_be_taken_apart() -> None:
    share = Account("share:space:fake/team:1/bob")

    assert (share.space, share.person, share.team, share.kind) == ("fake/team:1", "bob", "", "share")
    assert Account("share:team:red/bob").team == Account("team:red").team == "red"
    assert (Account("grant:7").is_personal, Account("grant:7").is_pool) == (False, False)
