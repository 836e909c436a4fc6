// The official TypeScript client, connected to a server.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient, DispatchError } from "@modelcontextprotocol/ext-tasks/client";

const clientInfo = { name: "suite", version: "1" };

function transportTo(url, token) {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  return new StreamableHTTPClientTransport(new URL(url), { requestInit });
}

/** A client of the handshake (`legacy`) or of the protocol without sessions (`auto`). */
export async function connect(url, token, mode) {
  const client = new Client(clientInfo, { versionNegotiation: { mode } });
  await client.connect(transportTo(url, token));
  return client;
}

/** Tasks of a client. Their messages have shapes that the client does not know, so they take a transport of their own. */
export async function openTasks(client, url, token) {
  const transport = transportTo(url, token);
  const waiting = new Map();
  transport.onmessage = (message) => waiting.get(message.id)?.(message);
  await transport.start();
  let last = 0;
  const rawDispatch = async (request, options = {}) => {
    const id = `task-${++last}`;
    const answered = new Promise((resolve) => waiting.set(id, resolve));
    try {
      await transport.send({ jsonrpc: "2.0", id, ...request }, { requestSignal: options.signal });
      const { error, result } = await answered;
      return error ? { kind: "error", error } : { kind: "result", result };
    } catch (cause) {
      throw new DispatchError("the request was not answered", false, { cause });
    } finally {
      waiting.delete(id);
    }
  };
  const v2RequestFraming = { protocolVersion: "2026-07-28", clientInfo, clientCapabilities: {} };
  return createTaskSessionFromClient(client, { endpointId: url, rawDispatch, v2RequestFraming });
}
