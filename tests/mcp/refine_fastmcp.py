"""Refines a document as a task, by FastMCP: refine_fastmcp.py URL TOKEN DOCUMENT. Waits for a line on standard input."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp_tasks.client import call_tool_task


async def main():
    url, token, document = sys.argv[1:]
    transport = StreamableHttpTransport(url, headers={"Authorization": f"Bearer {token}"})
    async with Client(transport) as client:
        task = await call_tool_task(client, "refine_document", {"document": document})
        print("started", task.task_id, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        result = await task.result()
        print("outcome", result.content[0].text.splitlines()[0])


asyncio.run(main())
