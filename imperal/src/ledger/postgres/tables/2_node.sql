-- The latest incarnation of each node. One that has ended has no lease.
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
