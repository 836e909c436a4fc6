// What a browser without a session sees: how to sign in. Owns that page, the notice when a session ends under an open page, and
// telling a first visit from a later one. A link that is opened in another tab reloads the waiting ones.

import { fill, h, icon, refill } from "./dom.js";

const BEEN = "imperal:been-here";
const LEFT = "imperal:signed-out";
const CHANNEL = "imperal:session";

function beenHere() {
  try {
    return localStorage.getItem(BEEN) !== null;
  } catch {
    return false; // storage is blocked: treat every visit as the first
  }
}

const command = (text) => h("pre", { tabindex: "0" }, h("code", null, text));

function wayIn(lead) {
  return [
    h("p", { class: "muted" }, lead),
    h(
      "ol",
      null,
      h(
        "li",
        null,
        "In the terminal of the extension, find the link that it printed at its start, and open it in this browser.",
        command("open http://127.0.0.1:…/open/…"),
      ),
      h(
        "li",
        null,
        "A link works once. To print a new one, run this in the folder of the extension:",
        command("cargo run -- link"),
      ),
    ),
    h("p", { class: "help" }, "If another person runs the extension, ask them for a link."),
    h("button", { type: "button", class: "secondary", onclick: () => location.reload() }, icon("again"), "Try again"),
  ];
}

/** Whether this tab has just signed out; true once. */
function hasLeft() {
  try {
    const left = sessionStorage.getItem(LEFT) !== null;
    sessionStorage.removeItem(LEFT);
    return left;
  } catch {
    return false; // storage is blocked: see beenHere()
  }
}

/** Ends the session in every tab of this browser, with all data on the pages. */
export function leave() {
  try {
    sessionStorage.setItem(LEFT, "1");
  } catch {
    // storage is blocked: the page then says that the session has ended
  }
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(null);
  channel.close();
  location.replace(location.pathname);
}

/** Shows how to sign in, instead of the chat. */
export function showSignedOut(el) {
  const been = beenHere();
  const left = hasLeft();
  const title = h(
    "h1",
    { class: "gate-title", tabindex: "-1" },
    left ? "You are signed out" : been ? "Your session has ended" : "This browser is not signed in yet",
  );
  const lead = been
    ? "Your chat and your tasks are stored, and running work continues."
    : "Open this page with a one-time link from the terminal, so that no other person on this machine or network can read your chat.";
  refill(el, h("div", { class: "gate-card" }, h("span", { class: "tile live" }, icon("key")), title, wayIn(lead)));
  document.body.classList.add("gated");
  el.hidden = false;
  title.focus();
  new BroadcastChannel(CHANNEL).addEventListener("message", ({ data }) => data !== null && location.reload());
}

let ended = false;

/** Shows that the session has ended under an open page, which stays readable. */
export function showSessionEnded(el) {
  ended = true;
  fill(refill(el, icon("key")), [
    h(
      "div",
      null,
      h("strong", null, "Your session has ended. "),
      "The page stays readable. To continue, open a new link: ",
      h("code", null, "cargo run -- link"),
      " prints one in the folder of the extension.",
    ),
  ]);
  el.hidden = false;
}

/**
 * Tells other tabs that this browser has a session, and reloads when another user signs in: a browser has one cookie, so a
 * page of the previous user would act as the new one.
 */
export function signedIn(who) {
  try {
    localStorage.setItem(BEEN, "1");
  } catch {
    // storage is blocked: see beenHere()
  }
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(who);
  channel.addEventListener("message", ({ data }) => (ended || data !== who) && location.reload());
}
