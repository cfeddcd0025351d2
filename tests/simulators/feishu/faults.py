"""What can go wrong with any call, scripted for the next ones of that name."""

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """code: a business code. status: an HTTP status; with `html` its body is a gateway's page.

    delay: seconds before it is begun. after: it is done, and then the connection is cut instead of an answer.
    Neither code, status nor after: only delayed; with nothing at all the connection is cut and nothing was done.
    """

    code: int | None = None
    status: int | None = None
    delay: float = 0.0
    after: bool = False
    html: bool = False
    retry_after: float | None = None
    msg: str = ""

    @property
    def cuts(self) -> bool:
        """The connection is cut before anything is done."""
        return self.code is None and self.status is None and not (self.delay or self.after or self.html)


class Faults:
    """`known`: names of every call, so that a misspelt one is found where it is written."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def add(
        self,
        api: str,
        *,
        code: int | None = None,
        status: int | None = None,
        times: int = 1,
        delay: float = 0.0,
        after: bool = False,
        html: bool = False,
        retry_after: float | None = None,
        msg: str = "",
    ) -> None:
        """Script the next `times` calls of `api`, such as "im.message.create"; see `Fault` for what each means."""
        if api not in self.known:
            raise ValueError(f"this Feishu has no {api}; there are {sorted(self.known)}")
        fault = Fault(code=code, status=status, delay=delay, after=after, html=html, retry_after=retry_after, msg=msg)
        self._next[api].extend([fault] * times)

    def clear(self) -> None:
        self._next.clear()

    def next(self, api: str) -> Fault | None:
        return self._next[api].popleft() if self._next.get(api) else None
