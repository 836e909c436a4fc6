"""A Restate service in Python: hypercorn restate_app:app."""

import time
from datetime import timedelta

import httpx
import restate

bench = restate.Service("Bench")
watched = restate.Workflow("Watched")
client = None


async def number(value: int) -> int:
    return value


async def ask(url: str) -> None:
    global client
    client = client or httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=200))
    (await client.get(url)).raise_for_status()


@bench.handler()
async def nothing(ctx: restate.Context, job: dict) -> str:
    return "done"


@bench.handler()
async def count(ctx: restate.Context, job: dict) -> str:
    total = 0
    for value in range(job["count"]):
        total += await ctx.run_typed("count", number, value=value)
    return f"sum {total}"


@bench.handler()
async def travel(ctx: restate.Context, job: dict) -> str:
    for step in range(1, 6):
        if step == 4:
            await ctx.sleep(timedelta(seconds=3))
        await ctx.run_typed("ask", ask, url=f"{job['service']}/{job['name']}/{step}")
    return "done"


@bench.handler()
async def rest(ctx: restate.Context, job: dict) -> str:
    await ctx.sleep(timedelta(hours=1))
    return "done"


@watched.main()
async def run(ctx: restate.WorkflowContext, job: dict) -> str:
    for _ in range(job["count"]):
        # A value that was set leaves the service with the next durable call.
        await ctx.sleep(timedelta(milliseconds=150))
        ctx.set("progress", f"at={time.time_ns() // 1000};")
    await ctx.sleep(timedelta(milliseconds=150))
    return "done"


@watched.handler()
async def look(ctx: restate.WorkflowSharedContext) -> str:
    return await ctx.get("progress") or ""


app = restate.app(services=[bench, watched])
