// The dialog of secrets: which of them have a value, since when and by whom, and entering, replacing and removing one.
// Owns what the dialog shows. A value goes from its box to the server and nowhere else: it is neither kept as a draft nor
// shown again. What of the parameters of a function is secret is secrets.js.

import { ErrorLine } from "./action-error.js";
import { say } from "./announcer.js";
import { get, put, remove } from "./api.js";
import { h, icon, newId, refill } from "./dom.js";
import { fullTime, humanise, zonedTime } from "./format.js";

/** The state of a secret as a chip: its tone and its words. */
function stateOf(secret) {
  if (secret.status === "unreadable") return ["bad", "Enter it again"];
  if (secret.status === "environment") return ["good", "Set by the operator"];
  if (secret.status === "set") return secret.rotation_due ? ["warn", "Set, but old"] : ["good", "Set"];
  return secret.required ? ["bad", "Missing"] : ["plain", "Not set"];
}

/** Who entered a value, as the ledger names them. */
function byWhom(by, user) {
  if (!by) return "";
  if (by === `user:${user.id}`) return " by you";
  const [, name] = /^(?:user|extension|operator):(.+)$/.exec(by) ?? [null, by];
  return ` by ${name}`;
}

export class SecretSettings {
  /** `nameOf(app_id)` gives an extension's name; `confirm(question)` asks before a value is removed. */
  constructor(dialog, { user, nameOf, confirm }) {
    Object.assign(this, { dialog, user, nameOf, confirm });
    this.list = h("div", { class: "secret-list" });
    this.error = new ErrorLine();
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      refill(this.list); // what was typed and not saved is gone
      this.opener?.focus();
    });
    refill(
      dialog,
      h(
        "div",
        { class: "head-row" },
        h("h2", { id: "secrets-title", tabindex: "-1", autofocus: true }, "Secrets"),
        h(
          "button",
          { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() },
          icon("close"),
        ),
      ),
      h(
        "p",
        { class: "help" },
        "Keys and passwords that the functions need. They are stored encrypted, and nobody can read them here.",
      ),
      this.error.el,
      this.list,
    );
  }

  /** Shows the secrets. Closing gives the focus to `opener`. */
  async open(opener) {
    this.opener = opener;
    this.dialog.showModal();
    await this.load();
  }

  async load() {
    this.error.clear();
    try {
      const { secrets } = await get("v1/secrets");
      if (this.dialog.open) this.show(secrets);
    } catch (error) {
      this.error.show(error);
    }
  }

  show(secrets) {
    const apps = [...new Set(secrets.map((secret) => secret.app_id))];
    refill(
      this.list,
      secrets.length === 0 && h("p", { class: "help" }, "The functions here need no secrets."),
      apps.map((app) => [
        apps.length > 1 && h("h3", null, this.nameOf(app)),
        h(
          "ul",
          { class: "bare" },
          secrets
            .filter((secret) => secret.app_id === app)
            .map((secret) => this.row(secret, apps.length > 1 ? "h4" : "h3")),
        ),
      ]),
    );
  }

  row(secret, heading) {
    const el = h("li", { class: "secret-row" });
    this.fill(el, secret, heading);
    return el;
  }

  /** A row as the server last described its secret. With `focus` its heading gets the focus. */
  fill(el, secret, heading, focus = false) {
    const [tone, word] = stateOf(secret);
    const name = humanise(secret.name);
    const stored = secret.status === "set" || secret.status === "unreadable";
    const error = new ErrorLine();
    const value = h("input", {
      type: "password",
      id: newId("secret"),
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
      "aria-describedby": newId("about"),
      required: true,
    });
    const save = h("button", { type: "submit", class: "primary small" }, stored ? "Replace" : "Save");
    const take = h("button", { type: "button", class: "secondary small danger" }, icon("trash"), "Remove");
    take.setAttribute("aria-label", `Remove ${name}`);
    const at = `v1/secrets/${encodeURIComponent(secret.app_id)}/${encodeURIComponent(secret.name)}`;
    const act = async (button, request, done) => {
      if (button.hasAttribute("aria-disabled")) return;
      error.clear();
      button.setAttribute("aria-disabled", "true");
      try {
        const state = await request();
        value.value = "";
        say(`${name} ${done}.`);
        this.fill(el, state ?? (await get(at)), heading, true);
      } catch (failed) {
        error.show(failed);
        button.removeAttribute("aria-disabled");
        button.focus();
      }
    };
    const form = h(
      "form",
      {
        class: "secret-form",
        onsubmit: (event) => {
          event.preventDefault();
          act(save, () => put(at, { value: value.value }), "is saved");
        },
      },
      h("label", { for: value.id }, stored ? "New value" : "Value", h("span", { class: "hidden" }, ` of ${name}`)),
      h("div", { class: "secret-entry" }, value, save),
    );
    take.addEventListener("click", async () => {
      const question = {
        title: [icon("trash"), `Remove ${name}?`],
        about: h("p", null, "Functions that need it stop working until a new value is entered."),
        no: "Keep it",
        yes: "Remove",
        danger: true,
      };
      if (!(await this.confirm(question))) return take.focus();
      await act(take, () => remove(at).then(() => null), "is removed");
    });
    const title = h(heading, { tabindex: "-1" }, name);
    const removable = stored && (secret.scope === "user" || secret.writable);
    refill(
      el,
      h("div", { class: "secret-head" }, title, h("span", { class: `chip ${tone}` }, word)),
      h("p", { class: "help", id: value.getAttribute("aria-describedby") }, secret.description),
      secret.set_at &&
        h(
          "p",
          { class: "help" },
          "Entered ",
          h("time", { datetime: secret.set_at, title: zonedTime(secret.set_at) }, fullTime(secret.set_at)),
          byWhom(secret.set_by, this.user),
          ".",
          secret.rotation_due && ` A new one is advised every ${secret.rotation_hint_days} days.`,
        ),
      secret.writable
        ? form
        : h(
            "p",
            { class: "help" },
            secret.scope === "app" ? "An operator enters it, for all users." : "The extension enters it itself.",
          ),
      removable && take,
      error.el,
    );
    if (focus) title.focus();
  }
}
