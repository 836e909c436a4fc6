-- One row: when a node last checked that it can write.
CREATE TABLE @.checked (
    only_one boolean PRIMARY KEY CHECK (only_one),
    at bigint NOT NULL
);
