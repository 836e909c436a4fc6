"""Refines a document, by the official client, which has no tasks: it gets a ticket, and asks for the outcome.

refine_mcp.py URL TOKEN DOCUMENT. Waits for a line on standard input.
"""

import asyncio
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main():
    url, token, document = sys.argv[1:]
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            answer = await client.call_tool("refine_document", {"document": document})
            ticket = answer.structured_content
            print("started", ticket["id"], flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            while (answer.structured_content or {}).get("status") == "working":
                answer = await client.call_tool("task_status", {"id": ticket["id"]})
            print("outcome", answer.content[0].text.splitlines()[0])


asyncio.run(main())
