-- The latest incarnation of each node. One that has ended has no lease. Rows are never removed. Calls and tasks name them
-- without a foreign key, see the owner.
CREATE TABLE @.node (
    node_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_key bytea NOT NULL UNIQUE,
    node text NOT NULL,
    incarnation bigint NOT NULL,
    lease_until bigint,
    -- The length of the lease when it was given.
    lease bigint,
    -- Whether the node said that it is stopping: then its end is no crash of its durable tasks.
    draining boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

CREATE TRIGGER node_stays BEFORE DELETE ON @.node FOR EACH ROW EXECUTE FUNCTION @.keep_row();

-- The durable tasks that the programs of current incarnations have. They go with the incarnation.
CREATE TABLE @.node_task (
    app_id text NOT NULL,
    task_name text NOT NULL,
    node_id bigint NOT NULL REFERENCES @.node,
    -- The version of the node's program.
    program text NOT NULL,
    PRIMARY KEY (app_id, task_name, node_id)
);

CREATE INDEX node_task_of ON @.node_task (node_id);
