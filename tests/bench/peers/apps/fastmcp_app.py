"""FastMCP with docket. REDIS_URL, PORT and CONCURRENCY in the environment."""

import asyncio
import os
import time

import httpx
from fastmcp import FastMCP
from fastmcp.server.dependencies import Progress
from fastmcp.utilities.tasks import TaskConfig
from fastmcp_tasks import TasksExtension

mcp = FastMCP("bench")
mcp.add_extension(TasksExtension(url=os.environ["REDIS_URL"], concurrency=int(os.environ["CONCURRENCY"])))
in_background = TaskConfig(mode="required")


@mcp.tool
async def echo(text: str) -> dict:
    return {"text": text}


@mcp.tool(task=in_background)
async def nothing() -> str:
    return "done"


@mcp.tool(task=in_background)
async def travel(name: str, service: str) -> str:
    async with httpx.AsyncClient(timeout=30) as client:
        for step in range(1, 6):
            if step == 4:
                await asyncio.sleep(3)
            (await client.get(f"{service}/{name}/{step}")).raise_for_status()
    return "done"


@mcp.tool(task=in_background)
async def rest() -> str:
    await asyncio.sleep(3600)
    return "done"


@mcp.tool(task=in_background)
async def report(count: int, progress: Progress = Progress()) -> str:
    await progress.set_total(count)
    for _ in range(count):
        await asyncio.sleep(0.15)
        await progress.set_message(f"at={time.time_ns() // 1000};")
    return "done"


if __name__ == "__main__":
    mcp.run(
        transport="http", host="127.0.0.1", port=int(os.environ["PORT"]), log_level="ERROR", show_banner=False,
        stateless_http=True, json_response=True,
    )
