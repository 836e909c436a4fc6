// The functions of the stub. Together they have every kind of parameter that a Rust type exports.

const object = (properties, required, more = {}) => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Params",
  type: "object",
  properties,
  required,
  ...more,
});

const refine = object(
  {
    text: { description: "Text to refine.", type: "string", minLength: 1, maxLength: 20000 },
    tone: {
      description: "How it should sound.",
      default: "neutral",
      oneOf: [
        { const: "neutral", description: "As it is, only clearer." },
        { const: "friendly", description: "Warm, a little shorter." },
        { const: "formal", description: "For contracts and offices." },
      ],
    },
  },
  ["text"],
);

const everything = object(
  {
    title: { type: "string", minLength: 3, maxLength: 40, description: "A short name for the report." },
    rows: { type: "array", description: "What to put in.", minItems: 1, items: { $ref: "#/$defs/Row" } },
    tags: { type: "array", items: { type: "string", minLength: 1 }, default: ["draft"] },
    limit: { type: ["integer", "null"], format: "uint32", minimum: 1, maximum: 500 },
    ratio: { type: "number", format: "double", minimum: 0, maximum: 1, default: 0.5 },
    big: { type: ["integer", "null"], format: "int64" },
    urgent: { type: "boolean", description: "Send it at once." },
    archive: { type: ["boolean", "null"] },
    level: {
      enum: ["low", "medium", "high", "very_high", "extreme"],
      type: "string",
      description: "How much it matters.",
    },
    mail: { type: ["string", "null"], format: "email" },
    day: { type: ["string", "null"], format: "date" },
    at: { type: ["string", "null"], format: "date-time" },
    shape: {
      oneOf: [
        {
          type: "object",
          title: "Circle",
          properties: { kind: { type: "string", const: "circle" }, radius: { type: "number", exclusiveMinimum: 0 } },
          required: ["kind", "radius"],
        },
        {
          type: "object",
          properties: { kind: { type: "string", const: "box" }, width: { type: "number" }, height: { type: "number" } },
          required: ["kind", "width", "height"],
        },
      ],
    },
    owner: { anyOf: [{ $ref: "#/$defs/Person" }, { type: "null" }] },
    labels: { type: "object", additionalProperties: { type: "string" } },
    pair: { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], minItems: 2, maxItems: 2 },
    checks: {
      type: "array",
      items: { $ref: "#/$defs/Check" },
      default: [],
      maxItems: 2,
      description: "What to look at.",
    },
    extra: true,
  },
  ["title", "rows", "urgent", "level", "shape"],
  {
    $defs: {
      Check: { enum: ["dns", "ssl", "email"], type: "string", description: "One check." },
      Row: {
        type: "object",
        properties: {
          id: { type: "integer", format: "uint64", minimum: 0 },
          name: { type: "string" },
          done: { type: "boolean", default: false },
        },
        required: ["id", "name"],
      },
      Person: {
        type: "object",
        description: "Who answers for it.",
        properties: { name: { type: "string" }, boss: { anyOf: [{ $ref: "#/$defs/Person" }, { type: "null" }] } },
        required: ["name"],
      },
    },
  },
);

const fn = (name, description, params_schema, over = {}) => ({
  name,
  description,
  action_type: "read",
  background: false,
  long_running: false,
  params_schema,
  ...over,
});

const FILE = { type: "string", format: "file-id" };

const fileReport = object(
  {
    photo: { ...FILE, contentMediaType: "image/*", description: "The picture on the first page." },
    data: { ...FILE, type: ["string", "null"], description: "Rows to put in." },
    more: { type: "array", items: FILE, maxItems: 3, description: "What else belongs to it." },
  },
  ["photo"],
);

/** The same extensions with a function that takes files. */
export const withFiles = ([studio, ...others]) => [
  { ...studio, functions: [...studio.functions, fn("file_report", "Builds a report from files.", fileReport)] },
  ...others,
];

export const extensions = [
  {
    app_id: "studio",
    name: "Text studio",
    description: "Works on drafts and keeps the results in the chat.",
    has_secrets: true,
    functions: [
      fn("refine_output", "Refines the given text and posts the result in the chat.", refine, {
        action_type: "write",
        background: true,
      }),
      fn(
        "list_drafts",
        "Lists the drafts with their state.",
        object({ query: { type: ["string", "null"], maxLength: 80 } }, []),
      ),
      fn("build_report", "Builds a report from rows, tags and bounds. It has a parameter of every kind.", everything, {
        action_type: "write",
        long_running: true,
        background: true,
      }),
      fn("delete_draft", "Deletes a draft for good.", object({ id: { type: "integer", minimum: 1 } }, ["id"]), {
        action_type: "destructive",
      }),
      fn(
        "edit_all",
        "Changes fields of a post, and any others that are given.",
        object(
          {
            limit: { type: ["integer", "null"], minimum: 1 },
            ratio: { type: "number", default: 0.5 },
            big: { type: "integer", default: 0 },
            meta: { type: "object", additionalProperties: true },
          },
          [],
        ),
        { action_type: "write" },
      ),
      fn(
        "connect",
        "Connects a service by its key.",
        object(
          {
            service: { type: "string" },
            key: { type: "string", writeOnly: true, minLength: 8, description: "The key of your account." },
          },
          ["service", "key"],
        ),
        { action_type: "write" },
      ),
      fn("ping", "Answers at once.", { type: "object", properties: {}, title: "Empty" }),
    ],
  },
];
