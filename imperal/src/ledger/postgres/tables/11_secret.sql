-- Sealed by the platform: nothing here opens them. A secret of an extension has neither tenant nor user.
CREATE TABLE @.secret (
    tenant_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    app_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    salt bytea NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    set_at bigint NOT NULL,
    set_by text NOT NULL,
    PRIMARY KEY (tenant_id, user_id, app_id, name)
);

-- Values that all nodes agree on, the first one to write winning: check values of keys, the ledger's own id.
CREATE TABLE @.fact (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
