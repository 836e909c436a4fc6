-- Files of extensions. Their bytes are in a store of blobs, under the file's id. The row is older than the bytes, and
-- stays as long as they may be there.
CREATE TABLE @.file (
    file_no bigint GENERATED ALWAYS AS IDENTITY,
    file_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES @.owner,
    app_id text NOT NULL,
    -- pending: its bytes are being written, or nothing has claimed it; stored; deleting: its bytes are removed later.
    state text NOT NULL,
    -- What began it: a call, an attempt of a task, or neither for a user's upload, on this incarnation.
    node_id bigint NOT NULL REFERENCES @.node,
    incarnation bigint NOT NULL,
    call_id uuid,
    task_id uuid,
    attempt bigint,
    -- The bytes of the content; those that are expected until it is written.
    size bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    -- From when on the sweep looks at it; null for a stored file that does not expire.
    due_at bigint,
    name text NOT NULL,
    content_type text NOT NULL,
    -- Null until the bytes are written.
    sha256 bytea
) WITH (fillfactor = 80);

-- Lists of a user.
CREATE INDEX file_of ON @.file (owner_id, file_id);
CREATE INDEX file_due ON @.file (due_at) WHERE due_at IS NOT NULL;
