// A text while it is written, below its call. It is plain text: nothing in it is a link, a picture or markup. A screen reader is
// not told of each word (it is no live region), and can read it at any time. Applying pieces is live-texts.js.

import { h, visible } from "./dom.js";

/** The place of a text, as {el, update(draft)}. */
export function liveText(name) {
  const text = document.createTextNode("");
  let shown = "";
  const el = h(
    "div",
    { class: "live-text", role: "article", "aria-busy": "true", "aria-label": `${name}, still being written` },
    h("p", { dir: "auto" }, text),
  );
  return {
    el,
    update(draft) {
      // Only what is new: a selection in the text stays.
      if (draft.text.startsWith(shown)) text.appendData(visible(draft.text.slice(shown.length)));
      else text.data = visible(draft.text);
      shown = draft.text;
    },
  };
}
