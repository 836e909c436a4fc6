"""The service that crashing tasks call: it answers after 200 ms, and counts what is done twice."""

import asyncio
import threading
import time

# A step whose answer left this long before the kill had the time to be stored.
SETTLED = 0.5


class Service:
    """Counts requests by their path, which names a task and a step."""

    def __init__(self):
        self.answers = {}  # path: times at which an answer was sent
        self.requests = 0
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        ready.wait()

    def _serve(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        ready.set()
        self.loop.run_forever()

    async def _client(self, reader, writer):
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                while (await reader.readline()).strip():
                    pass
                self.requests += 1
                await asyncio.sleep(0.2)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
                self.answers.setdefault(path, []).append(time.monotonic())
        except (OSError, IndexError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def close(self):
        # The loop goes on: it ends the connections of the processes that are killed next.
        self.loop.call_soon_threadsafe(self.server.close)

    def repeated(self, killed):
        """Requests beyond one for each step, and how many of them repeat a step that had settled before the kill."""
        settled = sum(
            1 for times in list(self.answers.values())
            if times[0] < killed - SETTLED and any(again > killed for again in times)
        )
        return self.requests - len(self.answers), settled
