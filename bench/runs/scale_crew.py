"""Processes that do as they are told: a line of JSON in, a line of JSON out. They end when nobody can tell any more."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.fresh import RunFailed, environment

Answer = dict[str, Any]


class Crew:
    """Several processes of one program."""

    def __init__(self, program: str, processes: list["subprocess.Popen[str]"]) -> None:
        self._program = program
        self._processes = processes

    def ask(self, what: str, **arguments: Any) -> list[Answer]:
        """All of them at the same time."""
        for process in self._processes:
            _tell(process, {"do": what, **arguments})
        return self.answers()

    def ask_one(self, what: str, **arguments: Any) -> Answer:
        _tell(self._processes[0], {"do": what, **arguments})
        return self._answer(self._processes[0])

    def answers(self) -> list[Answer]:
        return [self._answer(process) for process in self._processes]

    def total(self, what: str, name: str, **arguments: Any) -> float:
        return sum(float(answer[name]) for answer in self.ask(what, **arguments))

    def _answer(self, process: "subprocess.Popen[str]") -> Answer:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RunFailed(f"{self._program} ended with {process.wait(10)}")
        answer: Answer = json.loads(line)
        return answer


def _tell(process: "subprocess.Popen[str]", asked: Answer) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()


@contextmanager
def crew(program: str, count: int, **arguments: Any) -> Iterator[Crew]:
    """So many of `bench.runs.<program>`, ready for work. They end by themselves when the block is left."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(program, {**arguments, "number": each})) for each in range(count)]
        made = Crew(program, processes)
        made.answers()
        yield made
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()


@contextmanager
def _process(program: str, arguments: Mapping[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.runs.{program}", json.dumps(arguments)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.wait(30)
    finally:
        process.kill()
        process.wait()


async def obey(**commands: Callable[..., Awaitable[Answer]]) -> None:
    """In such a process: say that it is ready, then do what is asked for, one thing after the other."""
    print("{}", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        print(json.dumps(await commands[asked.pop("do")](**asked)), flush=True)
