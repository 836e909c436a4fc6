// Layers over the chat that the browser's "back" closes: the functions on a narrow screen, and the activity panel. Owns the
// history entries of open layers; how a layer looks is its own. On a phone "back" is the way out of whatever covers the screen.

const layers = new Map(); // name -> the function that hides it

addEventListener("popstate", () => {
  for (const [name, hide] of layers)
    if (!covers(name)) {
      layers.delete(name);
      hide();
    }
});

const covers = (name) => (history.state?.layers ?? []).includes(name);

/** A layer is shown now; `hide()` hides it. */
export function entered(name, hide) {
  layers.set(name, hide);
  if (!covers(name)) history.pushState({ layers: [...(history.state?.layers ?? []), name] }, "");
}

/** Closes a layer from the page, and removes its entry of the history. Resolves when that is gone. */
export async function leave(name) {
  const hide = layers.get(name);
  if (!hide) return;
  layers.delete(name);
  hide();
  if (!covers(name)) return;
  const gone = new Promise((done) => addEventListener("popstate", done, { once: true }));
  history.back();
  await gone;
}
