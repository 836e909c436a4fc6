// Images in answers that are texts. Owns which texts are images. None is loaded from another host: a request for an image tells its
// host who looked, when, from where, and whatever its address has in it. The page's policy forbids it too. A picture of another host
// is a link; pictures of functions are files (file-view.js).

import { h } from "./dom.js";
import { link, urlOf } from "./links.js";
import { swap } from "./reconcile.js";

const DATA = /^data:image\/(png|jpe?g|gif|webp|avif);base64,[A-Za-z0-9+/=]+$/;

/** An image for a text that is one, or null. `look` is its class: `picture`, or that of a decoration without words. */
export function imageFor(text, alt, look = "picture") {
  if (!DATA.test(text)) return null;
  const img = h("img", { class: look, src: text, alt: alt || (look === "picture" ? "Image in the answer" : "") });
  img.addEventListener("error", () => swap(img, h("span", { class: "muted" }, "the image cannot be shown")));
  return img;
}

/** The same for a node that says what it shows: a picture of another host is a link with its words and its host. */
export function pictureFor(text, alt) {
  const url = urlOf(text);
  if (!url) return imageFor(text, alt);
  return link(url, [alt || "Picture", " · ", new URL(url).host]);
}
