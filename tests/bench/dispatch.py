"""What the reference SDK takes to parse and validate a call's parameters, run the handler, and
render its result as JSON: the same function as the bench's `echo`. Prints microseconds a call."""
import asyncio
import json
import statistics
import time

from imperal_sdk import ActionResult
from pydantic import BaseModel, Field


TEXT = '{"text": "hello", "times": 3}'


class Echo(BaseModel):
    text: str
    times: int = Field(ge=0, le=100)
    label: str | None = None


async def echo(ctx, params: Echo) -> ActionResult:
    return ActionResult.success(data=params, summary="Echoed.")


async def main():
    rounds = []
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(500):
            params = Echo.model_validate(json.loads(TEXT))
            result = await echo(None, params)
            json.dumps(result.to_dict())
        rounds.append((time.perf_counter() - begun) / 500 * 1e6)
    print(statistics.median(rounds))


asyncio.run(main())
