-- Times are microseconds since 1970, UTC, by this server's clock. `@.` stands for the schema's name.
-- Texts have `\` as `\\` and NUL as `\000`, because PostgreSQL's texts cannot hold a NUL. JSON has neither
-- problem.

-- Names may be longer than an index takes, so they are found by their hash.
CREATE TABLE @.owner (
    owner_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_key bytea NOT NULL UNIQUE,
    tenant_id text NOT NULL,
    user_id text NOT NULL,
    -- The number of the owner's latest event. A transaction that takes the next number locks the row.
    head bigint NOT NULL DEFAULT 0,
    -- The hash of the owner's latest audit row.
    audit_end bytea,
    -- Events up to this number are no longer kept; some of their turns may be.
    pruned bigint NOT NULL DEFAULT 0,
    -- The hash of the last audit row that retention removed, and how many it has removed.
    audit_anchor bytea,
    audit_pruned bigint NOT NULL DEFAULT 0,
    -- The bytes of the turns that were written for the owner on one day, and that day (since 1970, UTC).
    stored bigint NOT NULL DEFAULT 0,
    stored_day bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
