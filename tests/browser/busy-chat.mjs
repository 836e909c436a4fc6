// A chat with a turn of each kind, an interrupted task and a running one.

import { DONE } from "./stub.mjs";

/** Fills the chat of the stub. Returns the id of the running task. */
export function busyChat(stub) {
  stub.turn({ type: "system", text: "A notice with https://example.com in it." });
  stub.asked(
    "list_drafts",
    { query: "x" },
    { status: "success", summary: "Found.", data: { drafts: [{ id: 1, name: "Offer", done: true }], next: null } },
  );
  const lost = stub.asked("refine_output", { text: "x", tone: "formal" }, DONE);
  stub.end(stub.task(lost, "refine_output"), "reclaimed", {
    status: "error",
    summary: "",
    data: {},
    error: "The process stopped.",
    error_code: "INTERRUPTED",
  });
  const call = stub.asked("refine_output", { text: "y" }, DONE);
  const id = stub.task(call, "refine_output");
  stub.progress(id, 30, "Generating");
  return id;
}
