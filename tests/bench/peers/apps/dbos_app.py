"""DBOS Transact for Python behind Starlette. DATABASE_URL, PORT and EXECUTOR in the environment."""

import asyncio
import os
import time

import httpx
import uvicorn
from dbos import DBOS
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

DBOS(config={
    "name": "bench", "system_database_url": os.environ["DATABASE_URL"], "log_level": "ERROR", "run_admin_server": False,
    "application_version": "1", "executor_id": os.environ["EXECUTOR"],
})
client = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=200))


@DBOS.step()
async def number(value: int) -> int:
    return value


@DBOS.step()
async def ask(url: str) -> None:
    (await client.get(url)).raise_for_status()


@DBOS.workflow()
async def nothing(job: dict) -> str:
    return "done"


@DBOS.workflow()
async def count(job: dict) -> str:
    total = 0
    for value in range(job["count"]):
        total += await number(value)
    return f"sum {total}"


@DBOS.workflow()
async def travel(job: dict) -> str:
    for step in range(1, 6):
        if step == 4:
            await DBOS.sleep_async(3)
        await ask(f"{job['service']}/{job['name']}/{step}")
    return "done"


@DBOS.workflow()
async def rest(job: dict) -> str:
    await DBOS.sleep_async(3600)
    return "done"


@DBOS.workflow()
async def report(job: dict) -> str:
    for turn in range(job["count"]):
        await asyncio.sleep(0.15)
        await DBOS.set_event_async(f"p{turn}", f"at={time.time_ns() // 1000};")
    return "done"


WORKS = {"nothing": nothing, "count": count, "travel": travel, "rest": rest, "report": report}


async def start(request):
    handle = await DBOS.start_workflow_async(WORKS[request.path_params["name"]], await request.json())
    return JSONResponse({"id": handle.workflow_id})


async def run(request):
    handle = await DBOS.start_workflow_async(WORKS[request.path_params["name"]], await request.json())
    return JSONResponse({"result": await handle.get_result()})


async def status(request):
    found = await DBOS.get_workflow_status_async(request.path_params["id"])
    return JSONResponse({"status": found.status if found else None})


async def event(request):
    value = await DBOS.get_event_async(request.path_params["id"], request.path_params["key"], timeout_seconds=10)
    return JSONResponse({"value": value})


app = Starlette(routes=[
    Route("/start/{name}", start, methods=["POST"]), Route("/run/{name}", run, methods=["POST"]),
    Route("/status/{id}", status), Route("/event/{id}/{key}", event),
])

if __name__ == "__main__":
    DBOS.launch()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error", access_log=False)
