"""The function of the bench `mcp` by FastMCP, in its fastest setting: no sessions, plain JSON.

mcp_fastmcp.py serve prints the address that it serves; mcp_fastmcp.py memory N prints the median of N calls by FastMCP's own
client in this process, in seconds.
"""

import asyncio
import logging
import socket
import statistics
import sys
import time

import uvicorn
from fastmcp import Client, FastMCP
from pydantic import BaseModel


class Echo(BaseModel):
    text: str
    times: int


mcp = FastMCP("bench")


@mcp.tool
def echo(text: str, times: int) -> Echo:
    """Answer at once with what was said."""
    return Echo(text=text, times=times)


async def memory(count):
    async with Client(mcp) as client:
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            await client.call_tool("echo", {"text": "hello", "times": 3})
            times.append(time.perf_counter() - begun)
    print(statistics.median(times))


def serve():
    # asyncio sends small answers at once only on a socket that says that it is TCP: others wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    app = mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
    config = uvicorn.Config(app, log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


logging.disable(logging.INFO)
if sys.argv[1] == "serve":
    serve()
else:
    asyncio.run(memory(int(sys.argv[2])))
