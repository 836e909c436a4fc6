// Steps that the tests of the real binary share: asking the example to refine a text, and what its turns look like.

import { open, refine } from "./setup.mjs";

export const DRAFT = "this  is a a draft , with  errors .";
export const REFINED = "This is a draft, with errors.";

export async function ask(fn, text) {
  await open.choose(fn);
  await open.page.getByRole("textbox").first().fill(text);
  await open.run();
}

/** Runs the function, and waits for the request to the completion service. */
export async function working() {
  await ask("Refine output", DRAFT);
  const held = await refine.completions.next();
  await open.page.locator(".task .percent", { hasText: "30 %" }).waitFor();
  return held;
}

export async function cookie() {
  const [{ name, value }] = await open.context.cookies();
  return `${name}=${value}`;
}

export const outcome = () => open.turns(".bot").locator(".card.outcome");
export const interrupted = () => open.turns(".bot").locator(".card.failed", { hasText: "was interrupted" });
