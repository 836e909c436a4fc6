// Reads the properties of UI nodes: what is a node, what is a list, which tone a colour has.

/** Whether a value is a node of a tree: `{type, props}`. */
export const isNode = (value) =>
  value !== null &&
  typeof value === "object" &&
  typeof value.type === "string" &&
  (value.props === undefined || (value.props !== null && typeof value.props === "object"));

/** Properties take one value or a list of them. */
export const listOf = (value) => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]);

const TONES = {
  green: "good",
  success: "good",
  emerald: "good",
  red: "bad",
  error: "bad",
  danger: "bad",
  destructive: "bad",
  yellow: "warn",
  amber: "warn",
  orange: "warn",
  warn: "warn",
  warning: "warn",
  blue: "live",
  info: "live",
  primary: "live",
  purple: "plum",
  violet: "plum",
};
/** The page's tone for a colour or a severity; `plain` for others. */
export const toneOf = (color) => TONES[String(color ?? "").toLowerCase()] ?? "plain";
