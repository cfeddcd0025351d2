"""The same askings at once through LiteLLM's router with its budget for a provider, which counts after each answer."""

import asyncio
import os
from collections import Counter
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a table from the internet

import litellm  # type: ignore[import-not-found, unused-ignore]

from bench.runs.meter import main, measured


async def work(*, base_url: str, model: str, asked: int, budget: int, price: float) -> dict[str, Any]:
    """budget: in pictures, each of which costs `price` USD."""
    costs = {"input_cost_per_image": price, "output_cost_per_image": price}
    at = {"model": f"openai/{model}", "api_base": base_url, "api_key": "bench"}
    router = litellm.Router(
        model_list=[
            {
                "model_name": "fox",
                "litellm_params": {**at, **costs},
                "model_info": {"mode": "image_generation", **costs},
            }
        ],
        provider_budget_config={"openai": {"budget_limit": budget * price, "time_period": "1d"}},
        num_retries=0,
    )
    with measured() as found:
        found["ended"] = dict(Counter(await asyncio.gather(*(_ask(router) for _ in range(asked)))))
    await asyncio.sleep(1)  # what was spent is counted a moment after the answer
    found["afterwards"] = await _ask(router)
    return found


async def _ask(router: Any) -> str:
    try:
        await router.aimage_generation(model="fox", prompt="a red fox in the snow", size="1024x1024")
    except Exception as error:  # noqa: BLE001 - a door: whatever it refuses by
        return type(error).__name__
    return "a picture"


if __name__ == "__main__":
    main(work)
