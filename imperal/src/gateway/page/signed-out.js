// What a browser without a session sees: how to sign in. Owns that page, the notice when a session ends under an open page, and
// telling a first visit from a later one. A link that is opened in another tab reloads the waiting ones.

import { copyButton } from "./copy-button.js";
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

/** The command that prints a link. The server writes its own name into the page. */
const linkCommand = () => document.querySelector('meta[name="link-command"]').content;

const command = (text, copied = false) =>
  h(
    "div",
    { class: "command" },
    h("pre", { tabindex: "0" }, h("code", null, text)),
    copied && copyButton(() => text, "command"),
  );

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
        command(linkCommand(), true),
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

const LINKS = {
  used: [
    "This link was used already",
    "A link signs in one browser, once. If you have not opened it before, tell the person who runs the extension.",
  ],
  unknown: ["This link is not valid any more", "A link works for one hour, and until a newer one takes its place."],
};

/** What was wrong with the link that led here, as [title, lead]; takes it out of the address. */
function badLink() {
  const found = LINKS[new URLSearchParams(location.search).get("link")];
  if (location.search) history.replaceState(history.state, "", location.pathname + location.hash);
  return found;
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
  const bad = badLink();
  const word = left ? "You are signed out" : been ? "Your session has ended" : "This browser is not signed in yet";
  const title = h("h1", { class: "gate-title", tabindex: "-1" }, bad?.[0] ?? word);
  const lead = bad
    ? bad[1]
    : been
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
      h("code", null, linkCommand()),
      " prints one in the folder of the extension. ",
      copyButton(linkCommand, "command"),
    ),
  ]);
  el.hidden = false;
}

/**
 * Tells other tabs that this browser has a session, and reloads when another user signs in: a browser has one cookie, so a
 * page of the previous user would act as the new one.
 */
export function signedIn(who) {
  badLink();
  try {
    localStorage.setItem(BEEN, "1");
  } catch {
    // storage is blocked: see beenHere()
  }
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(who);
  channel.addEventListener("message", ({ data }) => (ended || data !== who) && location.reload());
}
