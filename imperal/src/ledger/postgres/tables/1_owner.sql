-- Times are microseconds since 1970, UTC, by this server's clock. `@.` stands for the schema's name.
-- Texts have `\` as `\\` and NUL as `\000`, because PostgreSQL's texts cannot hold a NUL. JSON has neither
-- problem.

-- Names may be longer than an index takes, so they are found by their hash.
-- Rows are never removed. Turns, calls, tasks, events and audit rows name them without a foreign key: its check would be
-- one more statement and row lock for each row. Their functions read the owner's row in the same transaction.
CREATE TABLE @.owner (
    owner_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_key bytea NOT NULL UNIQUE,
    tenant_id text NOT NULL,
    user_id text NOT NULL,
    -- Events up to this number are no longer kept; some of their turns may be.
    pruned bigint NOT NULL DEFAULT 0,
    -- The hash of the last audit row that retention removed, and how many it has removed.
    audit_anchor bytea,
    audit_pruned bigint NOT NULL DEFAULT 0,
    -- The day (since 1970, UTC) of `stored`.
    stored_day bigint NOT NULL DEFAULT 0,
    -- The columns that most writes change are together at the end: an update logs the bytes between the first and the
    -- last one that it changed. First the number of the owner's latest event. A transaction that takes the next number
    -- locks the row.
    head bigint NOT NULL DEFAULT 0,
    -- The bytes of the turns that were written for the owner on that day.
    stored bigint NOT NULL DEFAULT 0,
    -- The hash of the owner's latest audit row.
    audit_end bytea
) WITH (fillfactor = 70);

-- Keeps rows that others name without a foreign key.
CREATE FUNCTION @.keep_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of "%" are not removed: other rows name them', tg_table_name USING ERRCODE = '23503';
END $$;

CREATE TRIGGER owner_stays BEFORE DELETE ON @.owner FOR EACH ROW EXECUTE FUNCTION @.keep_row();
