-- What an owner's documents and files of an extension take. A writer of a document or file of the shelf holds its row,
-- unless it only stores a file.
CREATE TABLE @.shelf (
    shelf_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES @.owner,
    app_id text NOT NULL,
    documents bigint NOT NULL DEFAULT 0,
    -- Of ids and bodies.
    bytes bigint NOT NULL DEFAULT 0,
    -- The latest version that a document got.
    version bigint NOT NULL DEFAULT 0,
    -- Files that are not deleted.
    files bigint NOT NULL DEFAULT 0,
    file_bytes bigint NOT NULL DEFAULT 0,
    UNIQUE (owner_id, app_id)
) WITH (fillfactor = 70);

CREATE INDEX shelf_of_app ON @.shelf (app_id);

CREATE TABLE @.collection (
    collection_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shelf_no bigint NOT NULL REFERENCES @.shelf,
    name text NOT NULL,
    UNIQUE (shelf_no, name)
);

CREATE TABLE @.document (
    document_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_no bigint NOT NULL,
    -- The bytes of a text, because they have the same order on every server.
    id bytea NOT NULL,
    version bigint NOT NULL,
    -- The version of the type that wrote it.
    shape bigint NOT NULL,
    -- The indexes under which it is keyed, and since when.
    index_set bigint NOT NULL,
    keyed_at bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    expires_at bigint,
    -- The request that wrote it.
    request bigint NOT NULL,
    -- Of the id and the body.
    bytes bigint NOT NULL,
    -- JSON.
    body text NOT NULL,
    UNIQUE (collection_no, id)
) WITH (fillfactor = 80);

-- Finds the documents that are keyed under other indexes.
CREATE INDEX document_set ON @.document (collection_no, index_set, id);
CREATE INDEX document_expiring ON @.document (expires_at) WHERE expires_at IS NOT NULL;
-- For counts: those whose time is over.
CREATE INDEX document_expiring_in ON @.document (collection_no, expires_at, id) WHERE expires_at IS NOT NULL;

-- The keys of documents in their indexes. A key ends with the document's id, so it is unique.
CREATE TABLE @.document_key (
    collection_no bigint NOT NULL,
    index_no bigint NOT NULL,
    key bytea NOT NULL,
    document_no bigint NOT NULL,
    PRIMARY KEY (collection_no, index_no, key)
);

CREATE INDEX document_key_of ON @.document_key (document_no);
