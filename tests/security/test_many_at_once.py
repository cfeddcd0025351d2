"""Neither speed nor repetition gets anybody more than their limits allow."""

import asyncio

import pytest

from tests.security.conftest import House, new_id

pytestmark = pytest.mark.slow  # real processes, one after the other

USED = "SELECT coalesce(sum(g.made), 0) FROM generations g WHERE g.person_name=?"


@pytest.mark.slow
async def test_a_burst_of_askings_makes_exactly_what_the_limits_allow(house: House) -> None:
    await asyncio.gather(*(house.post("bob", f"/imagine fox {number}") for number in range(100)))
    await asyncio.gather(*(house.post(one, "/imagine cat --count 2") for one in ("alice", "bob", "carol") * 20))
    await house.calm()

    made = {person: house.rows(USED, person)[0][0] for person in ("alice", "bob", "carol")}
    assert made == {
        "alice": 4,
        "bob": 10,
        "carol": 0,
    }  # the space has 15, and pairs fit only four times in what is left
    assert house.rows("SELECT 1 FROM holds WHERE state<>'closed'") == []


async def test_a_message_that_is_sent_fifty_times_is_answered_once(house: House) -> None:
    id = new_id()
    await asyncio.gather(*(house.post("bob", "/help", id=id) for _ in range(50)))
    await house.calm()

    assert house.rows("SELECT count(*) FROM chat_messages WHERE reply_to=?", id) == [(1,)]
    message = {"id": id, "person": "alice", "room": "design-team", "words": "/help"}
    async with house.pages.post("/messages", json=message) as response:
        assert response.status == 404  # and it is nobody else's
