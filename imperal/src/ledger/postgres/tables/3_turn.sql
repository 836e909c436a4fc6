CREATE TABLE @.turn (
    turn_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    body text NOT NULL,
    UNIQUE (owner_id, seq)
);
