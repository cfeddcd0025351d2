"""What the SDKs of such a bot take before they have done anything: imported, and one client of each made."""

import os
import sys
import time

BEGUN = time.perf_counter()

import aiosqlite  # noqa: E402, F401 - imported for its weight
import discord  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
import lark_oapi  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
import openai  # type: ignore[import-not-found, unused-ignore]  # noqa: E402

discord.Client(intents=discord.Intents.default())
openai.AsyncOpenAI(api_key="bench")
lark_oapi.Client.builder().app_id("a").app_secret("b").build()

if __name__ == "__main__":
    import json

    from bench.runs.meter import resident

    found = {"own_seconds": time.perf_counter() - BEGUN, "cpu": time.process_time(), "mib": resident("VmRSS")}
    print(json.dumps({**found, "modules": len(sys.modules), "pid": os.getpid()}))
