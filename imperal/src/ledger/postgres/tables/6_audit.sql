CREATE TABLE @.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    owner_id bigint NOT NULL,
    actor text NOT NULL,
    app_id text,
    action text NOT NULL,
    target text,
    outcome text NOT NULL,
    detail text,
    -- Over this row and the hash of the owner's row before it.
    hash bytea NOT NULL
);

CREATE INDEX audit_of ON @.audit (owner_id, audit_id);
