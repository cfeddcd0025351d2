"""The states of a generation, of its jobs, and of a posting: tables that code, tests and documents read.

A generation is accepted once and ends once; in between every change names the `attempt` that makes it, so that a
worker which was given up can change nothing any more.
"""

from enum import StrEnum


class State(StrEnum):
    ASKED = "asked"  # a price question waits for Go; nothing held
    QUEUED = "queued"  # accepted, holds taken
    RUNNING = "running"  # admitted; no paid byte sent yet
    SENDING = "sending"  # committed before the first byte of a paid request
    SUBMITTED = "submitted"  # the provider's ticket is stored
    SETTLED = "settled"  # pictures stored, holds settled, posting wanted, in one transaction
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # a paid request's outcome cannot be known


class JobState(StrEnum):
    READY = "ready"
    SENDING = "sending"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DROPPED = "dropped"  # cancelled before it was sent


class PostingState(StrEnum):
    TO_POST = "to post"
    POSTING = "posting"
    POSTED = "posted"
    KEPT = "kept"  # no way found; offered at the next contact


WAITING = (State.ASKED, State.QUEUED)
IN_FLIGHT = (State.RUNNING, State.SENDING, State.SUBMITTED)
ENDED = (State.SETTLED, State.FAILED, State.REFUSED, State.CANCELLED, State.UNKNOWN)

NEXT: dict[State, tuple[State, ...]] = {
    State.ASKED: (State.QUEUED, State.CANCELLED),
    State.QUEUED: (State.RUNNING, State.CANCELLED),
    State.RUNNING: (State.SENDING, State.QUEUED, *ENDED),
    State.SENDING: (State.SUBMITTED, State.QUEUED, *ENDED),
    State.SUBMITTED: (State.SENDING, State.QUEUED, *ENDED),
    **dict.fromkeys(ENDED, ()),
}


def listed(states: tuple[StrEnum, ...]) -> str:
    """The states as an SQL list."""
    return ", ".join(f"'{state}'" for state in states)
