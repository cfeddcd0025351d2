"""What an admin's orders do: each is one transaction that looks at the rights, changes, and leaves an audit row.

Nothing here knows a platform; whoever speaks is a `Who`, and what they ordered comes from `admin_words`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot import audit, people, teams
from bot.audit import By
from bot.catalogue.router import Router
from bot.chat import AccountLine, Actor, Reply
from bot.clock import moment
from bot.commands.admin_words import (
    Amount,
    GrantOrder,
    GrantsOrder,
    LimitOrder,
    Marked,
    RefundOrder,
    RoleOrder,
    TeamOrder,
    TierOrder,
    number,
    wrong,
)
from bot.commands.choosing import usable_default
from bot.errors import NotThere, UsageError
from bot.generation import record
from bot.generation.record import Generation
from bot.i18n import Money, Text, plural, text, verbatim
from bot.people import persons_of
from bot.quota import grants, ledger, limits
from bot.quota.ledger import Rules
from bot.quota.tiers import Tier
from bot.rights import Deed, Who, found, owned_teams
from bot.storage.connection import Connection
from bot.suggest import same, shortened
from bot.teams import Team

EVERYWHERE = "everywhere"
MOST_LISTED = 40
ROOM = "room:"

Own = Mapping[tuple[str, str], int | None]
"""What was set for one account: pictures or micro-USD by (unit, window); None is unlimited."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Of one person at one moment. names: of the people and roles that are marked, by id."""

    who: Who
    marked: Marked
    rules: Rules
    router: Router
    names: dict[str, str] = field(default_factory=dict)

    @property
    def by(self) -> By:
        return self.who.by

    @property
    def at(self) -> int:
        return self.rules.at

    @property
    def space(self) -> str:
        return self.who.space

    # --- teams

    def team(self, connection: Connection, order: TeamOrder) -> Reply:
        if order.verb == "show":
            return self._shown_teams(connection, order.name)
        if order.verb == "create":
            self.who.check(Deed.TEAMS, self.space)
            if not self.space:
                raise UsageError(text("Say where the team is at home: --space platform/id."))
            team = teams.create(connection, self.space, order.name, self.by, self.at)
            return told(text("The team {team} is there now. Add people: /admin team add {team} @name", team=team.name))
        team = self.team_named(connection, order.name)
        match order.verb:
            case "rename":
                self.who.check(Deed.TEAMS, team.space)
                renamed = teams.rename(connection, team, order.to, self.by, self.at)
                return told(text("The team {before} is called {team} now.", before=team.name, team=renamed.name))
            case "close":
                self.who.check(Deed.TEAMS, team.space)
                teams.close(connection, team, self.by, self.at)
                return told(text("The team {team} is closed. What it used stays in the books.", team=team.name))
        return self._member(connection, order.verb, team)

    def _member(self, connection: Connection, verb: str, team: Team) -> Reply:
        owns = self.owns(connection, team)
        deed = Deed.OWNERS if verb in ("owner", "member") else Deed.MEMBERS
        self.who.check(deed, team.space, owns=owns)
        person, name = self.person(connection)
        said = {"name": name, "team": team.name}
        admin = self.who.may(Deed.TEAMS, team.space)
        match verb:
            case "add":
                new = teams.add(connection, team, person, self.by, self.at)
                done = text("{name} is in {team} now.", **said)
            case "remove":
                teams.remove(connection, team, person, self.by, self.at, admin=admin)
                return told(text("{name} is no longer in {team}.", **said))
            case "owner":
                new = teams.add(connection, team, person, self.by, self.at, role=teams.OWNER)
                done = text("{name} is an owner of {team} now.", **said)
            case _:
                new = teams.set_role(connection, team, person, teams.MEMBER, self.by, self.at, admin=admin)
                done = text("{name} is a member of {team} now, and no owner.", **said)
        return told(done if new else text("It is so already."))

    def _shown_teams(self, connection: Connection, name: str) -> Reply:
        if name:
            return self.shown_team(connection, self.team_named(connection, name))
        self.who.check(Deed.TEAMS, self.space)
        known = teams.teams_in(connection, self.space)
        if not known:
            return told(text("There is no team here yet. Make one: /admin team create NAME"))
        rows = []
        for team in known[:MOST_LISTED]:
            count = len(teams.members(connection, team))
            rows.append((verbatim(team.name), plural("{count} member", "{count} members", count)))
        return told(plural("One team is here.", "{count} teams are here.", len(known)), rows=tuple(rows))

    def shown_team(self, connection: Connection, team: Team) -> Reply:
        """Who is in it, and what it may still use; for its owners and admins, what each of them used."""
        mine = next((each for each in teams.teams_of(connection, self.who.persons) if each.id == team.id), None)
        rules = self.who.may(Deed.MEMBERS, team.space, owns=bool(mine and mine.owned))
        if not rules and mine is None:
            raise teams.unknown(team.name, [])
        rows = []
        there = teams.members(connection, team)
        for each in there[:MOST_LISTED]:
            part = text("owner") if each.owns else text("member")
            if rules:
                share = limits.share_of_team(team.id, each.person).name
                used = [line for line in self.lines(connection, (share,)) if _is_telling(line)]
                words = tuple(line.left_in_words if line.limit is not None else _used(line) for line in used)
                part = text("{part}; {used}", part=part, used=words) if words else part
            rows.append((verbatim(each.name), part))
        notes = []
        if len(there) > MOST_LISTED:
            notes.append(text("And {count} more.", count=len(there) - MOST_LISTED))
        accounts = [limits.of_team(team.id).name] if rules or mine else []
        if mine and not rules:
            accounts = [limits.share_of_team(team.id, mine.person).name, *accounts]
        return Reply(
            text=plural("{team}: one member", "{team}: {count} members", len(there), team=team.name),
            rows=tuple(rows),
            notes=tuple(notes),
            accounts=self.lines(connection, accounts),
            private=True,
        )

    # --- limits

    def limit(self, connection: Connection, order: LimitOrder) -> Reply:
        if order.kind == "tier":
            return self._limit_tier(connection, order)
        account, named, space, shown = self._limited(connection, order)
        if order.amount is None:
            return Reply(text=text("{name} may use:", name=named), accounts=self.lines(connection, shown), private=True)
        self._check_below(connection, account, order.amount)
        before = ledger.own_limits(connection, account)
        change(connection, account, order.amount, before)
        after = ledger.own_limits(connection, account)
        if before != after:
            note = {"before": _written_limits(before), "after": _written_limits(after)}
            audit.note(connection, space, self.by, f"limit {account}", note["before"], note["after"], self.at)
        words = text("Changed. {name} may use now:", name=named) if before != after else text("It is so already.")
        notes = (_NONE,) if order.amount.amount == 0 and not order.amount.back else ()
        return Reply(text=words, accounts=self.lines(connection, shown), notes=notes, private=True)

    def _limited(self, connection: Connection, order: LimitOrder) -> tuple[str, Text, str, tuple[str, ...]]:
        """The account whose limit is meant, what it is called, where it is audited, and the accounts to show."""
        match order.kind:
            case "all":
                self.who.check(Deed.ALL, "")
                name = limits.EVERYONE.name
                return name, text("Everyone together"), "", (name,)
            case "space":
                space = self._space_named(order.name)
                self.who.check(Deed.SPACE, space)
                name = limits.of_space(space).name
                mine = name if self.who.operator else limits.admins_limit(space).name
                return mine, text("This space") if space == self.space else verbatim(space), space, (name,)
            case "person":
                return self._limited_person(connection, order)
            case "team":
                team = self.team_named(connection, order.name)
                self.who.check(Deed.POOL, team.space)
                name = limits.of_team(team.id).name
                return name, verbatim(team.name), team.space, (name,)
        team = self.team_named(connection, order.name)
        self.who.check(Deed.SHARES, team.space, owns=self.owns(connection, team))
        if not self.marked.member:
            name = limits.members_default(team.id).name
            return name, text("Each member of {team}", team=team.name), team.space, (name,)
        person, called = self.person(connection)
        member = next((each for each in teams.members(connection, team) if person in each.persons), None)
        if member is None:
            raise NotThere(text("{name} is not in {team}.", name=called, team=team.name))
        name = limits.share_of_team(team.id, member.person).name
        return name, text("{name} in {team}", name=called, team=team.name), team.space, (name,)

    def _limited_person(self, connection: Connection, order: LimitOrder) -> tuple[str, Text, str, tuple[str, ...]]:
        """For the operator what somebody may use at all; for an admin what they may use in this space."""
        if not self.who.may(Deed.PERSON_EVERYWHERE, ""):
            self.who.check(Deed.PERSON, self.space)
        person, called = self.person(connection, order.name)
        own = limits.of_person(person).name
        if self.who.may(Deed.PERSON_EVERYWHERE, ""):
            return own, verbatim(called), "", (own,)
        share = limits.share_in_space(self.space, person).name
        return share, text("{name} in this space", name=called), self.space, (share,)

    def _check_below(self, connection: Connection, account: str, amount: Amount) -> None:
        """An admin may take from what the operator gives a space, and give none to it."""
        if not account.startswith("local:") or amount.back:
            return
        space = account.removeprefix("local:")
        own = ledger.own_limits(connection, space)
        key = (amount.unit, amount.window)
        most = own[key] if key in own else self.rules.policy.get(("space", *key))
        if most is not None and (amount.amount is None or amount.amount > most):
            raise UsageError(
                text(
                    "The operator of this bot allows this space {most} {window}; you can set less.",
                    most=limits.amount(amount.unit, most),
                    window=limits.window_name(amount.window),
                )
            )

    def _limit_tier(self, connection: Connection, order: LimitOrder) -> Reply:
        tier = self.tier_named(connection, order.name)
        if order.amount is None:
            return self._shown_tier(tier)
        self._check_tiers(tier.space)
        amount, changed = order.amount, dict(tier.limits)
        if amount.back:
            changed = {key: value for key, value in changed.items() if amount.unit and key != _key(amount)}
        else:
            changed[_key(amount)] = amount.amount
        return self._put_tier(connection, replace(tier, limits=changed))

    # --- tiers

    def tier(self, connection: Connection, order: TierOrder) -> Reply:
        if order.verb == "show":
            return self._shown_tiers(connection, order.name)
        if order.verb == "create":
            return self._create_tier(connection, order.name)
        tier = self.tier_named(connection, order.name)
        match order.verb:
            case "drop":
                self._check_tiers(tier.space)
                teams.drop_tier(connection, tier.space, tier.name, self.by, self.at)
                return told(text("The tier {tier} is no more.", tier=tier.name))
            case "set":
                self._check_tiers(tier.space)
                if order.rule in ("priority", "in_flight"):
                    self.who.check(Deed.TIERS_EVERYWHERE, "")
                return self._put_tier(connection, self._changed(tier, order.rule, order.values))
        return self._give_tier(connection, tier, order)

    def _create_tier(self, connection: Connection, name: str) -> Reply:
        space = self._tiers_of()
        self._check_tiers(space)
        if not name.isprintable() or not any(character.isalnum() for character in name):
            raise UsageError(text("A tier cannot be called “{name}”; please choose another name.", name=name))
        if any(same(each.name) == same(name) for each in self.tiers(connection)):
            raise UsageError(text("There is a tier {name} already.", name=name))
        teams.put_tier(connection, space, Tier(name=name, space=space), self.by, self.at)
        return told(
            text(
                "The tier {tier} is there now. Say what it holds: /admin limit tier {tier} 100 images per day,"
                " /admin tier set {tier} size 2K, and who has it: /admin tier give {tier} @name",
                tier=name,
            )
        )

    def _put_tier(self, connection: Connection, tier: Tier) -> Reply:
        changed = teams.put_tier(connection, tier.space, tier, self.by, self.at)
        shown = self._shown_tier(tier)
        return replace(shown, text=text("Changed. The tier {tier}:", tier=tier.name)) if changed else shown

    def _changed(self, tier: Tier, rule: str, values: tuple[str, ...]) -> Tier:
        back = len(values) == 1 and same(values[0]) in ("default", "all", "默认", "全部")
        match rule:
            case "models":
                chosen = tuple(dict.fromkeys(usable_default(self.router, "model", each) for each in values if each))
                return replace(tier, models=() if back else chosen)
            case "size":
                return replace(tier, size="" if back else self._size(_single(rule, values)))
        amount = None if back else _counted(_single(rule, values))
        match rule:
            case "references":
                return replace(tier, references=amount)
            case "series":
                return replace(tier, series=_at_least_one(rule, amount))
            case "in_flight":
                return replace(tier, in_flight=_at_least_one(rule, amount))
            case "rank":
                return replace(tier, rank=_small(rule, amount or 0))
        return replace(tier, priority=_small(rule, amount or 0))

    def _size(self, typed: str) -> str:
        sizes = tuple(dict.fromkeys(each for model in self.router.models() for each in model.tiers))
        found = next((each for each in sizes if same(each) == same(typed)), "")
        if not found:
            raise wrong(
                text("There is no size {size} here, but {sizes}.", size=shortened(typed), sizes=sizes), "tier set"
            )
        return found

    def _give_tier(self, connection: Connection, tier: Tier, order: TierOrder) -> Reply:
        self._check_tiers(tier.space)
        given = order.verb == "give"
        match order.holder:
            case "person":
                person, name = self.person(connection)
                holder, called = f"person:{person}", verbatim(name)
            case "team":
                team = self.team_named(connection, order.target)
                holder, called = f"team:{team.id}", verbatim(team.name)
            case "space":
                if not self.space:
                    raise UsageError(text("Say which space: --space platform/id."))
                holder, called = f"space:{self.space}", text("everybody in this space")
            case _:
                role, name = self.role()
                new = self._tier_by_role(connection, tier, role, name, given=given)
                return self._gave(tier, verbatim(name), given=given, new=new)
        if not given and not self._holds(connection, tier, holder):
            return told(text("{name} does not have the tier {tier}.", name=called, tier=tier.name))
        new = teams.hold_tier(connection, tier.space, holder, tier.name if given else "", self.by, self.at)
        return self._gave(tier, called, given=given, new=new)

    def _holds(self, connection: Connection, tier: Tier, holder: str) -> bool:
        return bool(
            connection.row(
                "SELECT 1 AS one FROM tier_holders WHERE space=:space AND holder=:holder AND tier=:tier",
                space=tier.space,
                holder=holder,
                tier=tier.name,
            )
        )

    def _gave(self, tier: Tier, name: Text, *, given: bool, new: bool) -> Reply:
        if not new:
            return told(text("It is so already."))
        if given:
            return told(text("{name}: the tier {tier} holds from now on.", name=name, tier=tier.name))
        return told(text("{name}: the tier {tier} holds no more.", name=name, tier=tier.name))

    def _shown_tiers(self, connection: Connection, name: str) -> Reply:
        if name:
            return self._shown_tier(self.tier_named(connection, name))
        self._check_tiers(self._tiers_of())
        known = self.tiers(connection)
        if not known:
            return told(text("There is no tier yet. Make one: /admin tier create NAME"))
        rows = tuple((verbatim(each.name), tuple_words(_tier_words(each))) for each in known)
        return told(text("The tiers here:"), rows=rows)

    def _shown_tier(self, tier: Tier) -> Reply:
        return told(text("The tier {tier}:", tier=tier.name), rows=_tier_rows(tier))

    def tiers(self, connection: Connection) -> list[Tier]:
        """Those that this person may give: the operator's for the operator, and those of the space."""
        found: list[Tier] = []
        if self.who.operator:
            stored = teams.tiers_in(connection, "")
            names = {same(each.name) for each in stored}
            found = [*stored, *(each for name, each in self.rules.tiers.items() if same(name) not in names)]
        if self.space:
            found += [replace(each, space=self.space) for each in teams.tiers_in(connection, self.space)]
        return found

    def tier_named(self, connection: Connection, name: str) -> Tier:
        self._check_tiers(self._tiers_of())
        known = self.tiers(connection)
        found = next((each for each in known if same(each.name) == same(name)), None)
        if found is None:
            raise teams.unknown_tier(name, [each.name for each in known])
        return found

    def _tiers_of(self) -> str:
        """Whose tiers this person makes: the operator's hold everywhere."""
        return "" if self.who.operator else self.space

    def _check_tiers(self, space: str) -> None:
        self.who.check(Deed.TIERS if space else Deed.TIERS_EVERYWHERE, space)

    # --- roles

    def role_order(self, connection: Connection, order: RoleOrder) -> Reply:
        self.who.check(Deed.ROLES, self.space)
        if not self.space:
            raise UsageError(text("Say which space: --space platform/id."))
        if not order.kind:
            return self._shown_roles(connection)
        role, name = self.role()
        if order.kind == "off":
            gone = teams.unmap_role(connection, self.space, role, self.by, self.at)
            return told(text("{role} gives nothing more.", role=name) if gone else text("It is so already."))
        if order.kind == "team":
            team = self.team_named(connection, order.target)
            # Being in a team of another space gives nobody the right to bring others into it.
            self.who.check(Deed.MEMBERS, team.space, owns=self.owns(connection, team))
            new = self._map(connection, role, "team", team.id, name)
            done = text("Whoever has {role} is in {team} from their next request on.", role=name, team=team.name)
        else:
            tier = self.tier_named(connection, order.target)
            new = self._tier_by_role(connection, tier, role, name, given=True)
            done = text("Whoever has {role} has the tier {tier}.", role=name, tier=tier.name)
        return told(done if new else text("It is so already."))

    def _tier_by_role(self, connection: Connection, tier: Tier, role: str, name: str, *, given: bool) -> bool:
        """Whether it is new. The operator's tiers, too, are held by a role of one space: it means nothing elsewhere."""
        if not tier.space:
            holder = f"role:{self.space}/{role}"
            if not given and not self._holds(connection, tier, holder):
                return False
            return teams.hold_tier(connection, "", holder, tier.name if given else "", self.by, self.at)
        if given:
            return self._map(connection, role, "tier", tier.name, name)
        gone = teams.unmap_role(connection, self.space, role, self.by, self.at, kind="tier", target=tier.name)
        return bool(gone)

    def _map(self, connection: Connection, role: str, kind: str, target: str, name: str) -> bool:
        return teams.map_role(connection, self.space, role, kind, target, self.by, self.at, name=name)

    def _shown_roles(self, connection: Connection) -> Reply:
        maps = teams.role_maps(connection, self.space)
        if not maps:
            return told(text("No role gives anything here yet. Begin: /admin role #channel team NAME"))
        names = {each.id: each.name for each in teams.teams_in(connection, "")}
        rows = []
        for each in maps[:MOST_LISTED]:
            target = names.get(each.target, each.target) if each.kind == "team" else each.target
            words = text("team {name}", name=target) if each.kind == "team" else text("tier {name}", name=target)
            rows.append((verbatim(each.name), words))
        return told(text("What roles and channels give here:"), rows=tuple(rows))

    # --- refunds, grants

    def refund(self, connection: Connection, order: RefundOrder) -> Reply:
        generation = self._made(connection, order.generation)
        if not self.who.may(Deed.REFUND, generation.space):
            self.who.check(Deed.REFUND, self.space)
            raise _not_made(order.generation)  # of another space: it does not exist here
        back = ledger.refund(
            connection,
            generation.id,
            self.at,
            order.reason,
            zone=self.rules.zone,
            by_operator=self.who.operator,
        )
        audit.note(connection, generation.space, self.by, f"refund {generation.id}", None, order.reason, self.at)
        given = tuple(limits.amount(unit, back[unit]) for unit in limits.UNITS if back.get(unit))
        return told(
            text("{id} is refunded to {name}: {given}.", id=generation.id, name=generation.person_name, given=given)
        )

    def _made(self, connection: Connection, id: str) -> Generation:
        try:
            return record.load(connection, id)
        except NotThere:
            raise _not_made(id) from None

    def grants(self, connection: Connection, order: GrantsOrder) -> Reply:
        if order.ends:
            return self.end_grant(connection, order.ends)
        found = [each for pool in self._pools(connection) for each in grants.given(connection, pool, self.at)]
        if not found:
            return told(text("Nothing is granted at the moment. Grant something: /grant @name 20 images until 3d"))
        names = _names(connection, {each.person for each in found})
        rows = tuple(
            (
                verbatim(f"{each.seq}"),
                text(
                    "{name}: {amount} until {time}, by {by}",
                    name=names.get(each.person, each.person),
                    amount=limits.amount(each.unit, each.amount),
                    time=moment(each.until),
                    by=each.by_name or text("somebody who was forgotten"),
                ),
            )
            for each in found[:MOST_LISTED]
        )
        notes = (text("/admin grants end NUMBER ends one."),)
        return Reply(text=text("What is granted now:"), rows=rows, notes=notes, private=True)

    def end_grant(self, connection: Connection, seq: int) -> Reply:
        row = connection.row("SELECT pool FROM grants WHERE seq=:seq", seq=seq)
        if row is None or not self._may_grant(connection, row["pool"]):
            raise NotThere(text("There is no grant {number} that still holds.", number=str(seq)))
        grants.end(connection, seq, self.by, self.at)
        return told(text("The grant {number} has ended. What is held of it stays held.", number=str(seq)))

    def grant(self, connection: Connection, order: GrantOrder) -> Reply:
        pool, called = self._pool(connection, order.pool)
        person, name = self.person(connection)
        team = pool.removeprefix("team:") if pool.startswith("team:") else ""
        if team and not any(each.id == team for each in teams.teams_of(connection, persons_of(connection, person))):
            raise NotThere(text("{name} is not in {team}.", name=name, team=called))
        seq = grants.give(
            connection,
            pool=pool,
            person=person,
            unit=order.unit,
            amount=order.amount,
            until=round(order.until.timestamp() * 1_000_000),
            by=self.by,
            at=self.at,
        )
        return told(
            text(
                "{name} may use {amount} more until {time}, out of {pool}. This grant has the number {number}.",
                name=name,
                amount=limits.amount(order.unit, order.amount),
                time=order.until,
                pool=called,
                number=str(seq),
            )
        )

    def _pool(self, connection: Connection, name: str) -> tuple[str, Text]:
        """Out of what is granted: what was named; else for the operator what everybody has, since nothing less stands
        in for the operator's own limits; else the space for an admin, else the only team that one owns.
        """
        if same(name) in ("all", "everyone", "全部") or (not name and self.who.may(Deed.GRANT_ALL, "")):
            self.who.check(Deed.GRANT_ALL, "")
            return limits.EVERYONE.name, text("what everybody may use")
        if same(name) in ("space", "空间") or (not name and self.who.may(Deed.GRANT_SPACE, self.space) and self.space):
            self.who.check(Deed.GRANT_SPACE, self.space)
            return limits.of_space(self.space).name, text("this space")
        if name:
            team = self.team_named(connection, name)
            self.who.check(Deed.GRANT_TEAM, team.space, owns=self.owns(connection, team))
            return limits.of_team(team.id).name, verbatim(team.name)
        own = [each for each in teams.teams_of(connection, self.who.persons) if each.owned]
        if not own:
            self.who.check(Deed.GRANT_TEAM, self.space)
        if len(own) > 1:
            names = tuple(each.name for each in own)
            raise wrong(text("You own several teams, {teams}: say “from” which one.", teams=names), "grant")
        return limits.of_team(own[0].id).name, verbatim(own[0].name)

    def _pools(self, connection: Connection) -> list[str]:
        """Every pool whose grants this person may see and end."""
        pools: list[str] = []
        if self.who.may(Deed.GRANT_ALL, ""):
            pools.append(limits.EVERYONE.name)
            rows = connection.rows(
                "SELECT DISTINCT pool FROM grants WHERE ended_at=0 AND until>:at ORDER BY pool", at=self.at
            )
            return list(dict.fromkeys([*pools, *(row["pool"] for row in rows)]))
        ids = set(owned_teams(connection, self.who.persons))
        if self.who.may(Deed.GRANT_SPACE, self.space):
            pools.append(limits.of_space(self.space).name)
            ids |= {each.id for each in teams.teams_in(connection, self.space)}
        if not pools and not ids:
            self.who.check(Deed.GRANT_SPACE, self.space)
        return [*pools, *(limits.of_team(each).name for each in sorted(ids))]

    def _may_grant(self, connection: Connection, pool: str) -> bool:
        account = limits.Account(pool)
        if account.kind == "team":
            row = connection.row("SELECT space FROM teams WHERE id=:id", id=account.team)
            owns = account.team in owned_teams(connection, self.who.persons)
            return row is not None and self.who.may(Deed.GRANT_TEAM, row["space"], owns=owns)
        if account.kind == "space":
            return self.who.may(Deed.GRANT_SPACE, account.space)
        return self.who.may(Deed.GRANT_ALL, "")

    # --- who and what is meant

    def team_named(self, connection: Connection, name: str) -> Team:
        """A team at home here, or one that this person is in; no other exists for them."""
        own = teams.teams_of(connection, self.who.persons) if self.who.persons else []
        mine = next((each for each in own if same(name) in (same(each.name), each.id)), None)
        if mine is not None and not (self.who.admin and mine.space != self.space):
            return mine
        if self.who.operator:
            try:
                return teams.by_name(connection, self.space, name)
            except NotThere:
                return teams.by_name(connection, "", name)
        if not self.who.admin:
            raise teams.unknown(name, [each.name for each in own])
        try:
            return teams.by_name(connection, self.space, name)
        except NotThere:
            if mine is not None:
                return mine
            raise

    def owned(self, connection: Connection) -> tuple[str, ...]:
        return owned_teams(connection, self.who.persons)

    def owns(self, connection: Connection, team: Team) -> bool:
        return team.id in self.owned(connection)

    def person(self, connection: Connection, name: str = "") -> tuple[str, str]:
        """(id, name) of whoever is marked, or named."""
        user = self.marked.member or name
        if not user:
            raise UsageError(text("Say whom."))
        self._meet(connection)
        return found(connection, self.who, user, shortened(self.names.get(user, user)))

    def _meet(self, connection: Connection) -> None:
        """Whoever was chosen from the platform's own list is here, even if they have never said anything to the bot."""
        user, (adapter, _, space) = self.marked.member, self.space.partition("/")
        if not (self.who.admin and user and user in self.names):
            return
        known = connection.row(
            "SELECT 1 AS one FROM actors WHERE adapter=:adapter AND user_id=:user", adapter=adapter, user=user
        )
        if known is None:
            people.find(connection, Actor(adapter=adapter, user=user, name=self.names[user], space=space), self.at)

    def role(self) -> tuple[str, str]:
        """(role, what it is called) of what is marked; a channel stands for whoever asks in it."""
        if self.marked.role:
            return self.marked.role, f"@{self.names.get(self.marked.role, self.marked.role)}"
        if self.marked.channel:
            return ROOM + self.marked.channel, f"<#{self.marked.channel}>"
        raise wrong(text("Choose the role from what is offered, or name a channel."), "role")

    def lines(self, connection: Connection, accounts: Sequence[str]) -> tuple[AccountLine, ...]:
        """What is limited or used of these accounts; where that is nothing, that there is no limit."""
        found = ledger.account_lines(connection, tuple(accounts), self.rules)
        found = tuple(
            replace(line, name=text("Each member")) if line.account in _defaults(accounts) else line for line in found
        )
        telling = tuple(line for line in found if _is_telling(line))
        named = {line.account for line in telling}
        return (*telling, *(line for line in found if line.account not in named and line.unit == "images"))

    def _space_named(self, name: str) -> str:
        if not name:
            if not self.space:
                raise UsageError(text("Say which space: --space platform/id."))
            return self.space
        if not self.who.operator and name != self.space:
            raise NotThere(text("{name} is unknown here.", name=shortened(name)))
        if "/" not in name:
            raise UsageError(text("A space is written as platform/id."))
        return name


def change(connection: Connection, account: str, amount: Amount, before: Own | None = None) -> None:
    """Set a limit, or take it back: one, or all that the account has of its own."""
    own = ledger.own_limits(connection, account) if before is None else before
    if not amount.back:
        ledger.set_limit(connection, account, amount.unit, amount.window, amount.amount)
        return
    for unit, window in own:
        if not amount.unit or (unit, window) == _key(amount):
            ledger.clear_limit(connection, account, unit, window)


def told(words: Text, *, rows: tuple[tuple[Text, Text], ...] = ()) -> Reply:
    return Reply(text=words, rows=rows, private=True)


def written(amount: int | None, unit: str, window: str) -> str:
    """A limit as it is ordered, for the audit: `20 images per day`."""
    match amount:
        case None:
            number = "unlimited"
        case 0:
            number = "none"
        case _ if unit == "usd":
            number = str(Money(amount)).removesuffix(" USD")
        case _:
            number = str(amount)
    return f"{number} {unit} {'in ' if window == 'total' else 'per '}{window}"


def tuple_words(words: Sequence[Text]) -> Text:
    return text("{words}", words=tuple(words)) if words else text("no bounds yet")


def _written_limits(own: Own) -> str:
    return ", ".join(written(amount, unit, window) for (unit, window), amount in sorted(own.items())) or "default"


_NONE = text("0 means none: nothing at all is allowed. “unlimited” is the contrary, “default” takes it back.")


def _not_made(id: str) -> NotThere:
    return NotThere(text("Nothing with the id {id} was made here. The id stands under the picture.", id=shortened(id)))


def _key(amount: Amount) -> tuple[str, str]:
    return amount.unit, amount.window


def _single(rule: str, values: tuple[str, ...]) -> str:
    if len(values) != 1:
        raise wrong(text("{rule} takes one value.", rule=rule), "tier set")
    return values[0]


def _counted(word: str) -> int:
    """“none” as 0: a tier may allow no reference pictures."""
    return 0 if same(word) in ("none", "无") else number(same(word), "images", "tier set")


def _at_least_one(rule: str, amount: int | None) -> int | None:
    if amount == 0:
        raise wrong(text("{rule} is one at least.", rule=rule), "tier set")
    return amount


def _small(rule: str, amount: int) -> int:
    if amount > 1000:
        raise wrong(text("{rule} goes up to {most}.", rule=rule, most=1000), "tier set")
    return amount


def _tier_rows(tier: Tier) -> tuple[tuple[Text, Text], ...]:
    amounts = tuple(verbatim(written(amount, *key)) for key, amount in sorted(tier.limits.items()))
    bounds: list[tuple[Text, object]] = [
        (text("Limits"), amounts),
        (text("Models"), tier.models),
        (text("Largest size"), tier.size),
        (text("Reference pictures"), tier.references),
        (text("Pictures at once"), tier.series),
    ]
    rows = [(label, _bound(value)) for label, value in bounds]
    rows.append((text("Rank"), verbatim(str(tier.rank))))
    if not tier.space:
        rows += [(text("At the same time"), _bound(tier.in_flight)), (text("Priority"), verbatim(str(tier.priority)))]
    return tuple(rows)


def _bound(value: object) -> Text:
    if value is None or value in ((), ""):
        return text("no bound")
    return text("{words}", words=value) if isinstance(value, tuple) else verbatim(str(value))


def _tier_words(tier: Tier) -> list[Text]:
    words = [verbatim(written(amount, *key)) for key, amount in sorted(tier.limits.items())]
    words += [verbatim(each) for each in (*tier.models, tier.size) if each]
    return words


def _is_telling(line: AccountLine) -> bool:
    return line.limit is not None or (line.window == "total" and line.used > 0)


def _defaults(accounts: Sequence[str]) -> set[str]:
    """Of these, what holds for every member of a team who has no limit of their own."""
    return {name for name in accounts if name.startswith("share:team:") and "/" not in name}


def _used(line: AccountLine) -> Text:
    return text("{amount} used", amount=limits.amount(line.unit, line.used))


def _names(connection: Connection, persons: set[str]) -> dict[str, str]:
    names = {f"p{number}": person for number, person in enumerate(sorted(persons))}
    if not names:
        return {}
    rows = connection.rows(
        f"SELECT id, name FROM people WHERE id IN ({', '.join(f':{name}' for name in names)})", **names
    )
    return {row["id"]: row["name"] for row in rows}
