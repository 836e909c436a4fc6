-- Texts of running work, gone with it.
CREATE TABLE @.draft (
    draft_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES @.owner,
    -- The node that writes it.
    node_id bigint NOT NULL,
    -- The call or the task.
    call_id uuid,
    task_id uuid,
    attempt bigint NOT NULL,
    -- Bytes of the original text so far.
    ends bigint NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX draft_of ON @.draft (owner_id);
CREATE INDEX draft_of_call ON @.draft (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX draft_of_task ON @.draft (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE @.draft_piece (
    draft_id uuid NOT NULL REFERENCES @.draft ON DELETE CASCADE,
    at bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (draft_id, at)
);
