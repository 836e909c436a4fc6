// Images in answers. Owns which texts are images, and loads none from another host before the user asks: an image request tells
// its host who looked, when, and from where. Once allowed, a host's images are shown until the tab is closed.

import { h, icon } from "./dom.js";
import { link, urlOf } from "./links.js";
import { swap } from "./reconcile.js";

const HOSTS = "imperal:picture-hosts";
const waiting = new Map(); // button -> what to do once its host is allowed

function allowed() {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(HOSTS) ?? "[]"));
  } catch {
    return new Set(); // storage is blocked: ask for each image
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
 * An image for a text that names one, a button that shows it, or null. Never an image of this server: it could be a
 * request. A decoration (`look`) of a host that is not allowed is left out.
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
    swap(button, shown);
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
    swap(shown, url ? link(url, url) : h("span", { class: "muted" }, "the image cannot be shown")),
  );
  return shown;
}
