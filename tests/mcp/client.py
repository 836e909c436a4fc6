"""Drives a server with the official client, once by the handshake of 2025 and once without: client.py URL TOKEN."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client


def text(result):
    return "".join(block.text for block in result.content if block.type == "text")


async def drive(url, token, mode):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {"add", "build", "task_status", "task_cancel"} <= tools.keys(), tools.keys()
            assert "unlock" not in tools
            assert tools["add"].annotations.read_only_hint is True

            added = await client.call_tool("add", {"a": 2, "b": 40})
            assert (added.structured_content, added.is_error) == ({"sum": 42}, False), added
            assert text(added).startswith("The sum is 42."), added

            refused = await client.call_tool("add", {"a": "two", "b": 40})
            assert refused.is_error and text(refused).startswith("VALIDATION_TYPE_ERROR"), refused

            try:
                await client.call_tool("subtract", {})
                raise AssertionError("an unknown tool was accepted")
            except MCPError as error:
                assert error.error.code == -32602, error

            ticket = await client.call_tool("build", {"millis": 2000})
            work = ticket.structured_content
            assert work["status"] == "working", ticket
            for _ in range(60):
                status = await client.call_tool("task_status", {"id": work["id"]})
                if not (status.structured_content or {}).get("status") == "working":
                    break
            assert text(status) == "Built.", json.dumps(status.model_dump(mode="json"))
            return client.session.protocol_version


async def main():
    url, token = sys.argv[1:]
    for mode in ("legacy", "auto"):
        print(mode, await drive(url, token, mode), "ok")


asyncio.run(main())
