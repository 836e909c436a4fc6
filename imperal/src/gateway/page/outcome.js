// The outcome of a task, unfolded where the task is shown: at its card in the chat, and in the list of tasks. Owns loading a
// result that the page does not have. The outcome's own turn is turns.js.

import { explain, isLost } from "./action-error.js";
import { get, onceReachable } from "./api.js";
import { h, refill } from "./dom.js";
import { prose } from "./prose.js";
import { showData, showTools } from "./result-data.js";
import { showTree } from "./ui-tree.js";

const read = new Map(); // task_id -> result, of those that were loaded here

/** The result of a task, if the page has it: from the outcome turn, or loaded before. */
export const knownResult = (store, taskId) => store.ended.get(taskId)?.result ?? read.get(taskId);

/** Loads the result of a task whose outcome turn is not loaded. Lists of tasks have no results. */
export async function loadResult(taskId) {
  const { result } = await get(`v1/tasks/${encodeURIComponent(taskId)}`);
  read.set(taskId, result);
  return result;
}

/** Text, data and tools of a result. `acts` is needed for a UI tree; without, its data is shown. */
export function outcomeBody(result, appId, acts = null) {
  const text = result?.error ?? result?.summary ?? "";
  const tree = acts && result?.ui && showTree(result.ui, appId, acts);
  const data = tree ? null : showData(result?.data);
  const tools = tree || data ? showTools(result.data, tree && result.ui) : null;
  return [text && prose(text), tree, data, tools?.tools, tools?.raw];
}

/** A place for the outcome of a task that is empty until `toggle()`. */
export function outcomePlace(store, task, acts) {
  const el = h("div", { class: "outcome-here", hidden: true });
  let drawn = false;
  let loading = false;
  const draw = (result) => {
    drawn = true;
    refill(el, outcomeBody(result, task.app_id, acts));
  };
  const load = async () => {
    if (drawn || loading || el.hidden) return;
    loading = true;
    refill(el, h("p", { class: "help" }, "Loading…"));
    try {
      draw(await loadResult(task.task_id));
    } catch (error) {
      refill(el, h("p", { class: "form-error", role: "alert" }, explain(error)));
      if (isLost(error)) onceReachable(load);
    }
    loading = false;
  };
  return {
    el,
    /** Shows or hides it. Resolves to whether it is shown. */
    async toggle() {
      el.hidden = !el.hidden;
      if (el.hidden || drawn) return !el.hidden;
      const known = knownResult(store, task.task_id);
      if (known) draw(known);
      else await load();
      return !el.hidden;
    },
  };
}
