"""`python -m bot.providers.sandbox`: the sandbox as a process of its own; prints its base URL, then serves."""

import argparse
import asyncio
from pathlib import Path

from bot.providers.sandbox import Sandbox


async def serve(arguments: argparse.Namespace) -> None:
    async with Sandbox(port=arguments.port, journal=arguments.journal, seconds=arguments.seconds) as sandbox:
        print(sandbox.base_url, flush=True)  # noqa: T201 - whoever started it reads it from there
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bot.providers.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--journal", type=Path, help="a file that gets one line for each accepted request")
    parser.add_argument("--seconds", type=float, default=0.6, help="how long a picture takes at least")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
