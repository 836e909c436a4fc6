// Pictures in answers. Owns which texts are pictures, and that none of another host is loaded before
// somebody asks for it: a picture tells its host who looked, when, and from where. Asked for once, a
// host's pictures are shown until the tab is closed.

import { h, icon } from "./dom.js";
import { link, urlOf } from "./links.js";

const HOSTS = "imperal:picture-hosts";
const waiting = new Map(); // a button -> what it does once its host is allowed

function allowed() {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(HOSTS) ?? "[]"));
  } catch {
    return new Set(); // storage is blocked: each picture is asked for
  }
}

function allow(host) {
  try {
    sessionStorage.setItem(HOSTS, JSON.stringify([...allowed().add(host)]));
  } catch {
    // storage is blocked: as above
  }
  for (const [button, show] of waiting) {
    if (button.dataset.host === host || !button.isConnected) waiting.delete(button);
    if (button.dataset.host === host) show();
  }
}

/** Forgets which hosts were allowed. */
export function forgetHosts() {
  try {
    sessionStorage.removeItem(HOSTS);
  } catch {
    // storage is blocked: nothing was kept
  }
}

/**
 * A picture from a text that names one, a button that shows it, or null. Never of this server: a
 * picture must not be a request. A decoration (`look`) of a host that was not allowed is left out.
 */
export function imageFor(text, alt, look = "picture") {
  const isData = /^data:image\/(png|jpe?g|gif|webp|avif);base64,[A-Za-z0-9+/=]+$/.test(text);
  const url = isData ? null : urlOf(text);
  const parsed = url && new URL(url);
  const isFile =
    parsed &&
    parsed.protocol === "https:" &&
    parsed.username === "" &&
    /\.(png|jpe?g|gif|webp|avif|svg)$/i.test(parsed.pathname);
  if (!isData && !isFile) return null;
  const name =
    alt !== undefined && alt !== "" ? alt : look !== "picture" ? "" : isFile ? lastPart(parsed) : "Image in the answer";
  const make = () => drawn(text, name, look, isFile ? url : null);
  if (isData || allowed().has(parsed.host)) return make();
  if (look !== "picture") return null;
  const what = h("span", { class: "hidden" }, `: ${name}`);
  const button = h(
    "button",
    {
      type: "button",
      class: "secondary small show-picture",
      "data-host": parsed.host,
      title: url,
      onclick: () => allow(parsed.host),
    },
    icon("eye"),
    `Show picture from ${parsed.host}`,
    what,
  );
  waiting.set(button, () => {
    const held = button === document.activeElement;
    const shown = make();
    button.replaceWith(shown);
    if (held) shown.focus();
  });
  return button;
}

const lastPart = (url) => url.pathname.split("/").pop();

function drawn(src, alt, look, url) {
  const img = h("img", { class: look, src, alt, loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  const shown = url
    ? h("a", { class: "picture-link", href: url, target: "_blank", rel: "noopener noreferrer" }, img)
    : img;
  img.addEventListener("error", () =>
    shown.replaceWith(url ? link(url, url) : h("span", { class: "muted" }, "an image that cannot be shown")),
  );
  return shown;
}
