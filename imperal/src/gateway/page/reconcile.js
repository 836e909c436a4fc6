// Replaces parts of the page without touching what has not changed. Owns the one way in which the children of an element
// are replaced, elements that live as long as their key is shown, and the focus: a control that stays keeps the focus and
// its selection, and one that is replaced hands them to the control of the same name. No other module replaces nodes.

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** Makes exactly these nodes the children of an element, in this order. Nodes that are there already are not taken out. */
export function reconcile(parent, wanted) {
  holdingFocus(parent, () => {
    const nodes = withOldTexts(parent, wanted);
    const stay = new Set(nodes);
    for (const child of [...parent.childNodes]) if (!stay.has(child)) child.remove();
    // the child with the focus does not move: the others are put before and after it
    const pivot = nodes.findIndex((node) => node.parentNode === parent && node.contains(document.activeElement));
    for (let index = pivot + 1; pivot >= 0 && index < nodes.length; index += 1)
      if (nodes[index - 1].nextSibling !== nodes[index]) put(parent, nodes[index], nodes[index - 1].nextSibling);
    let next = pivot >= 0 ? nodes[pivot] : null;
    for (let index = pivot >= 0 ? pivot - 1 : nodes.length - 1; index >= 0; index -= 1) {
      if ((next ? next.previousSibling : parent.lastChild) !== nodes[index]) put(parent, nodes[index], next);
      next = nodes[index];
    }
  });
  return parent;
}

/** Puts another node in the place of one. */
export function swap(old, node) {
  if (old === node || !old.parentNode) return;
  holdingFocus(old.parentNode, () => old.replaceWith(node));
}

/** Elements by key: each is made once, drawn again when what it shows has changed, and forgotten when its key is gone. */
export class Keyed {
  /** `key(item)` names an item, `make(item)` makes its element, `draw(element, item)` fills it, `look(item)` tells what it shows. */
  constructor({ key, make, draw, look }) {
    Object.assign(this, { key, make, draw, look });
    this.known = new Map(); // key -> {el, look}
  }

  /** The elements of these items, for reconcile(). */
  elements(items) {
    const kept = new Map();
    for (const item of items) kept.set(this.key(item), this.element(item));
    for (const key of this.known.keys()) if (!kept.has(key)) this.known.delete(key);
    return [...kept.values()];
  }

  element(item) {
    const key = this.key(item);
    let one = this.known.get(key);
    if (!one) this.known.set(key, (one = { el: this.make(item), look: undefined }));
    const look = this.look(item);
    if (one.look !== look) {
      one.look = look;
      this.draw(one.el, item);
    }
    return one.el;
  }
}

/** Moves a node in the document without taking it out, where the browser can: it keeps the focus and its animations. */
function put(parent, node, before) {
  if (parent.moveBefore && node.isConnected && parent.isConnected) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
}

/** The nodes, with texts that are there already in place of new ones. */
function withOldTexts(parent, wanted) {
  const known = new Set(wanted);
  const spare = [...parent.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE && !known.has(child));
  return wanted.map((node) => {
    if (node.nodeType !== Node.TEXT_NODE || node.parentNode === parent || !spare.length) return node;
    const same = spare.findIndex((text) => text.data === node.data);
    const [text] = spare.splice(Math.max(0, same), 1);
    if (text.data !== node.data) text.data = node.data;
    return text;
  });
}

/** Makes a change inside of `scope`, after which the focus is where it was, or at the control that took its place. */
function holdingFocus(scope, change) {
  const el = document.activeElement;
  if (!el || el === document.body || el === scope) return change();
  const inside = scope.contains(el);
  const namesakes = () =>
    [...scope.querySelectorAll(el.tagName)].filter((one) => one.matches(FOCUSABLE) && nameOf(one) === name);
  const [name, selection] = [inside && nameOf(el), selectionOf(el)];
  const place = inside ? namesakes().indexOf(el) : -1;
  change();
  if (document.activeElement === el) return;
  if (el.isConnected && scope.contains(el)) return take(el, selection);
  if (!inside) return;
  const heir = namesakes()[place];
  // no control of that name: a place that does nothing when Enter is pressed
  take(heir ?? scope.closest("[tabindex], dialog"), heir ? selection : null);
}

function take(el, selection) {
  el?.focus({ preventScroll: true });
  if (selection && "setSelectionRange" in el) el.setSelectionRange(...selection);
}

/** Start, end and direction of a text's selection; null for controls that have none. */
function selectionOf(el) {
  try {
    return typeof el.selectionStart === "number" ? [el.selectionStart, el.selectionEnd, el.selectionDirection] : null;
  } catch {
    return null; // some types of inputs throw
  }
}

/** What a person calls a control. */
const nameOf = (el) => el.getAttribute("aria-label") ?? el.labels?.[0]?.textContent ?? el.textContent;
