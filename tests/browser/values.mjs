// Random schemas and values for forms, from a seed. Values are JSON texts, because numbers must keep their spelling.

/** A random number generator (mulberry32): equal seeds give equal cases. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NAMES = [
  "text",
  "count",
  "meta",
  "rows",
  "kind",
  "a.b",
  "__proto__",
  "toString",
  "constructor",
  "",
  "größe",
  "1",
  "Ä b",
  "x\ny",
];
const TEXTS = [
  "",
  " ",
  "red",
  "5",
  "null",
  "true",
  '"quoted"',
  "{",
  "[1",
  '{"a":1}',
  "two\nlines",
  "tab\there",
  "\r\n",
  "日本",
  "\u202eabc",
  "0x10",
  "1e5",
  " padded ",
  "x".repeat(50),
];
const NUMBERS = [
  "0",
  "-0",
  "1",
  "-7",
  "5.0",
  "1e2",
  "0.1",
  "0.10",
  "9007199254740993",
  "18446744073709551615",
  "-9223372036854775808",
  "1.7976931348623157e309",
  "123456789.123456789123",
  "1e-400",
  "0.30000000000000004",
  "100000000000000000000",
];

export class Cases {
  constructor(seed) {
    this.next = random(seed);
  }

  below(n) {
    return Math.floor(this.next() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(part) {
    return this.next() < part;
  }

  some(list) {
    return list.filter(() => this.chance(0.5));
  }

  /** The text of an object from pairs, each name once. */
  object(pairs) {
    return `{${[...new Map(pairs)].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
  }

  /** Any JSON. */
  anything(depth) {
    const kind = this.below(depth > 0 ? 7 : 5);
    if (kind === 0) return "null";
    if (kind === 1) return this.pick(["true", "false"]);
    if (kind === 2) return this.pick(NUMBERS);
    if (kind < 5) return JSON.stringify(this.pick(TEXTS));
    if (kind === 5) return `[${Array.from({ length: this.below(4) }, () => this.anything(depth - 1)).join(",")}]`;
    return this.object(Array.from({ length: this.below(4) }, () => [this.pick(NAMES), this.anything(depth - 1)]));
  }

  /** A schema, and a function that makes the text of a value for it. */
  shape(depth) {
    const made = this.plainShape(depth);
    if (!this.chance(0.2)) return made;
    return {
      schema: { anyOf: [made.schema, { type: "null" }], default: null },
      value: () => (this.chance(0.3) ? "null" : made.value()),
    };
  }

  plainShape(depth) {
    const leaves = ["string", "format", "integer", "number", "boolean", "enum", "const", "any"];
    const groups = ["fieldsObject", "open", "list", "set", "tuple", "map", "free", "tagged", "untagged"];
    return this[this.pick(depth > 0 ? [...leaves, ...groups, ...groups] : leaves)](depth - 1);
  }

  string() {
    return {
      schema: {
        type: "string",
        ...this.pick([{}, {}, { minLength: 1 }, { maxLength: 30 }, { maxLength: 300 }, { default: "x" }]),
      },
      value: () => JSON.stringify(this.pick(TEXTS)),
    };
  }

  format() {
    const [format, texts] = this.pick([
      ["date-time", ["2026-03-01T10:00:00.123456Z", "2026-03-01T10:00:00+02:00", "soon"]],
      ["date", ["2026-03-01", "20260301"]],
      ["time", ["10:00:00", "10:00:00Z", "10:00:00.5"]],
      ["email", ["a@b.c", "not one", " a@b.c"]],
      ["uri", ["https://example.com/?q=1", "nowhere"]],
      ["uuid", ["urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8", "67e55044-10b1-426f-9247-bb680e5fe0c8"]],
    ]);
    return { schema: { type: "string", format }, value: () => JSON.stringify(this.pick(texts)) };
  }

  integer() {
    return {
      schema: { type: "integer", ...this.pick([{}, { minimum: 0 }, { minimum: 1, maximum: 9 }, { default: 3 }]) },
      value: () => this.pick(NUMBERS),
    };
  }

  number() {
    return {
      schema: { type: "number", ...this.pick([{}, { exclusiveMinimum: 0 }, { multipleOf: 0.5 }, { default: 0.5 }]) },
      value: () => this.pick(NUMBERS),
    };
  }

  boolean() {
    return {
      schema: { type: "boolean", ...this.pick([{}, { default: true }, { default: false }]) },
      value: () => this.pick(["true", "false"]),
    };
  }

  enum() {
    const values = this.pick([
      ["low", "high"],
      ["a", "b", "c", "d", "e", "f"],
      [1, 2, 3],
      ["x", 1, null],
    ]);
    return { schema: { enum: values }, value: () => (this.chance(0.1) ? '"gone"' : JSON.stringify(this.pick(values))) };
  }

  const() {
    return { schema: { const: "fixed" }, value: () => (this.chance(0.1) ? '"other"' : '"fixed"') };
  }

  any() {
    return { schema: this.pick([true, {}, { title: "Anything" }]), value: () => this.anything(2) };
  }

  fields(depth, names) {
    return names.map((name) => ({ name, ...this.shape(depth), required: this.chance(0.5) }));
  }

  struct(fields, more, extra) {
    const properties = this.object(fields.map(({ name, schema }) => [name, JSON.stringify(schema)]));
    const schema = {
      type: "object",
      title: "Thing",
      properties: JSON.parse(properties),
      required: fields.filter((one) => one.required).map((one) => one.name),
      ...more,
    };
    const value = () =>
      this.object([
        ...fields.filter((one) => one.required || this.chance(0.6)).map(({ name, value }) => [name, value()]),
        ...(this.chance(extra)
          ? [
              [this.pick(NAMES), this.anything(2)],
              ["more", this.anything(1)],
            ]
          : []),
      ]);
    return { schema, value };
  }

  /** An object whose schema allows no other keys; some values have one nevertheless. */
  fieldsObject(depth) {
    return this.struct(
      this.fields(depth, this.some(NAMES).slice(0, 4)),
      this.pick([{}, { additionalProperties: false }]),
      0.2,
    );
  }

  open(depth) {
    const more = this.pick([
      { additionalProperties: true },
      { additionalProperties: { type: "integer" } },
      { patternProperties: { "^x": { type: "string" } } },
    ]);
    return this.struct(this.fields(depth, this.some(NAMES).slice(0, 3)), more, 0.8);
  }

  list(depth) {
    const item = this.shape(depth);
    return {
      schema: {
        type: "array",
        items: item.schema,
        ...this.pick([{}, { minItems: 1 }, { maxItems: 2 }, { default: [] }]),
      },
      value: () => `[${Array.from({ length: this.below(4) }, () => item.value()).join(",")}]`,
    };
  }

  set() {
    return {
      schema: { type: "array", uniqueItems: true, items: { enum: ["dns", "ssl", "mail"] } },
      value: () => JSON.stringify(this.pick([[], ["ssl", "dns"], ["dns", "dns"], ["gone"]])),
    };
  }

  tuple(depth) {
    const parts = [this.shape(depth), this.shape(depth)];
    return {
      schema: { type: "array", prefixItems: parts.map((part) => part.schema), minItems: 2, maxItems: 2 },
      value: () => `[${(this.chance(0.1) ? parts.slice(1) : parts).map((part) => part.value()).join(",")}]`,
    };
  }

  map(depth) {
    const item = this.shape(depth);
    return {
      schema: { type: "object", additionalProperties: item.schema },
      value: () =>
        this.object(
          this.some(NAMES)
            .slice(0, 4)
            .map((name) => [name, item.value()]),
        ),
    };
  }

  free() {
    return {
      schema: this.pick([
        { type: "object" },
        { type: "object", additionalProperties: true, title: "Meta" },
        { type: "object", title: "Meta", additionalProperties: {} },
      ]),
      value: () =>
        this.object(
          this.some(NAMES)
            .slice(0, 4)
            .map((name) => [name, this.anything(2)]),
        ),
    };
  }

  tagged(depth) {
    const one = (tag) => {
      const made = this.struct(this.fields(depth, [`${tag}_one`, `${tag}_two`]), {}, 0.2);
      const schema = {
        ...made.schema,
        properties: { kind: { const: tag, type: "string" }, ...made.schema.properties },
        required: ["kind", ...made.schema.required],
      };
      return {
        schema,
        value: () =>
          made
            .value()
            .replace("{", `{"kind":"${tag}"${made.value === undefined ? "" : ","}`)
            .replace(",}", "}"),
      };
    };
    const both = [one("circle"), one("box")];
    const flat = this.chance(0.3);
    const outer = flat ? { type: "object", properties: { name: { type: "string" } }, required: ["name"] } : {};
    return {
      schema: { ...outer, oneOf: both.map((made) => made.schema) },
      value: () => (flat ? this.pick(both).value().replace("{", '{"name":"n",') : this.pick(both).value()),
    };
  }

  untagged(depth) {
    const both = [this.plainShape(depth), this.plainShape(depth)];
    return {
      schema: { anyOf: both.map((made) => made.schema) },
      value: () => (this.chance(0.1) ? this.anything(1) : this.pick(both).value()),
    };
  }
}

/** `count` pairs of a parameter schema and the text of a value. */
export function cases(seed, count) {
  const made = new Cases(seed);
  return Array.from({ length: count }, () => {
    const { schema, value } = made.chance(0.8) ? made.fieldsObject(3) : made.open(3);
    return { schema, text: value() };
  });
}
