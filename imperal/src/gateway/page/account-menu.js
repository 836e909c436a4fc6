// The account menu in the top bar: the signed-in user, and signing out. Owns what signing out deletes in the browser: drafts,
// which questions were answered here, and the hosts whose images were allowed. The page of a browser without a session
// is signed-out.js.

import { remove } from "./api.js";
import { h, icon, refill } from "./dom.js";
import { leave } from "./signed-out.js";

/** Fills the menu, a `details` element; `notice(what, error)` shows an error, `settings` are controls for it. */
export function accountMenu(el, { user, notice, settings }) {
  const name = user.email ?? user.id;
  const button = h(
    "button",
    { type: "button", class: "quiet", onclick: () => signOut(button, notice) },
    icon("key"),
    "Sign out",
  );
  refill(
    el,
    h(
      "summary",
      { class: "tool", title: `Signed in as ${user.id} of ${user.tenant_id}` },
      icon("person"),
      h("span", { class: "tool-word who", id: "who" }, name),
      h("span", { class: "hidden" }, ", account"),
    ),
    h(
      "div",
      { class: "account-menu" },
      h("p", { class: "help" }, "Signed in as ", h("strong", null, name), " of ", h("strong", null, user.tenant_id)),
      settings,
      button,
      h("p", { class: "help" }, "Running work continues. To sign in again, open a new link from the terminal."),
    ),
  );
  const close = () => {
    const held = el.contains(document.activeElement);
    el.open = false;
    if (held) el.firstChild.focus();
  };
  el.addEventListener("keydown", (event) => event.key === "Escape" && el.open && (event.stopPropagation(), close()));
  document.addEventListener("click", (event) => el.open && !el.contains(event.target) && close());
}

async function signOut(button, notice) {
  if (button.hasAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    await remove("v1/session");
  } catch (error) {
    if (error.status !== 401) {
      button.removeAttribute("aria-disabled");
      return notice("You are still signed in.", error);
    }
  }
  forgetDrafts();
  leave();
}

function forgetDrafts() {
  try {
    for (const key of Object.keys(sessionStorage))
      if (/^(draft|answered|parked):/.test(key)) sessionStorage.removeItem(key);
  } catch {
    // storage is blocked: there is nothing in it
  }
}
