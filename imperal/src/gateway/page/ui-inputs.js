// The input fields of a UI tree: a form that collects values and calls one function with them, and a field that calls by itself.
// Owns reading them. The platform checks values; its answer appears below the button. Forms of functions are
// field-controls.js and group-controls.js.

import { actionOf, runs } from "./actions.js";
import { h, newId } from "./dom.js";
import { humanise } from "./format.js";

const READ = new WeakMap(); // a field's element -> () => its value

/** Label, control and help of a field; a field with its own action has a button. */
function field(props, control, read, at) {
  const {
    label,
    description,
    placeholder,
    param_name: name = "value",
    on_submit: submit,
    on_change: change,
    disabled,
    required,
  } = props;
  const words = at.text(label ?? placeholder) || humanise(name);
  control.id = newId("node");
  control.disabled = Boolean(disabled);
  control.required = Boolean(required);
  const el = h(
    "div",
    { class: "field" },
    control.type === "checkbox"
      ? h("label", { class: "check" }, control, h("span", null, words))
      : [h("label", { class: "label minor", for: control.id }, words), control],
    description && h("p", { class: "help" }, at.text(description)),
  );
  READ.set(el, () => [name, read()]);
  el.dataset.param = name;
  const action = actionOf(submit ?? change);
  if (action.kind !== "call" || !at.acts.has(at.appId, action.fn)) return el;
  return h(
    "div",
    { class: "ui-v gap-2" },
    el,
    runs(
      {
        words: action.word,
        look: "secondary small",
        fn: action.fn,
        params: () => ({ ...action.params, [name]: read() }),
      },
      at,
    ),
  );
}

const input = (type) => (props, at) => {
  const el = h("input", {
    type:
      props.type === "password"
        ? "password"
        : (type ?? (/^(email|url|number|date|time)$/.test(props.type) ? props.type : "text")),
    placeholder: at.text(props.placeholder) || null,
    autocomplete: props.type === "password" ? "new-password" : "off",
    value: at.text(props.value),
    min: props.min,
    max: props.max,
    step: props.step,
    dir: "auto",
  });
  return field(
    props,
    el,
    () => (/^(number|range)$/.test(el.type) ? (el.value === "" ? null : Number(el.value)) : el.value),
    at,
  );
};

function area(props, at) {
  const el = h(
    "textarea",
    { rows: Math.min(12, Number(props.rows) || 4), dir: "auto", placeholder: at.text(props.placeholder) || null },
    at.text(props.value),
  );
  return field(props, el, () => el.value, at);
}

function select(props, at) {
  const options = (Array.isArray(props.options) ? props.options : []).map((one) =>
    typeof one === "object" ? one : { value: one, label: String(one) },
  );
  const el = h(
    "select",
    null,
    options.map((one, index) =>
      h("option", { value: index, selected: one.value === props.value }, at.text(one.label ?? one.value)),
    ),
  );
  return field(props, el, () => options[el.value]?.value, at);
}

function toggle(props, at) {
  const el = h("input", { type: "checkbox", checked: props.value === true || props.checked === true });
  return field(props, el, () => el.checked, at);
}

function form({ children, action, submit_label: label, defaults }, at) {
  const body = h("div", { class: "ui-v" }, at.all(children));
  const act =
    typeof action === "string" ? { kind: "call", fn: action, params: {}, word: humanise(action) } : actionOf(action);
  if (act.kind !== "call" || !at.acts.has(at.appId, act.fn)) return body;
  const params = () => {
    if (!el.reportValidity()) return null;
    const values = [...body.querySelectorAll(".field[data-param]")].map((one) => READ.get(one)?.()).filter(Boolean);
    return { ...act.params, ...defaults, ...Object.fromEntries(values.filter(([, value]) => value !== undefined)) };
  };
  const el = h(
    "form",
    { class: "ui-v", onsubmit: (event) => event.preventDefault() },
    body,
    runs({ words: at.text(label) || act.word, look: "primary small", type: "submit", fn: act.fn, params }, at),
  );
  return el;
}

export const fieldNodes = {
  Form: form,
  Input: input(),
  Password: (props, at) => input()({ ...props, type: "password" }, at),
  DatePicker: input("date"),
  Slider: input("range"),
  TextArea: area,
  Select: select,
  Toggle: toggle,
  Checkbox: toggle,
};
