-- One row: which tables these are, and which revision of the functions was applied last.
CREATE TABLE @.schema_version (
    only_one boolean PRIMARY KEY CHECK (only_one),
    tables integer NOT NULL,
    functions integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- The hash of each function's text as it was applied last.
CREATE TABLE @.function_version (
    name text PRIMARY KEY,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
