-- Writes documents of an owner in the order of the arrays: all, or none. p_expected: -1 for anything, 0 for no document,
-- else the version. A null body deletes. p_expiries: null keeps until it is deleted, -1 keeps the time that is stored,
-- else the microseconds from now. p_key_places: the document's place, from 1. A repeated p_request writes nothing.
-- IM015: another document is stored; the error's detail is the place, from 0, and its version, then its shape if it is as
-- expected and of a newer type, which p_replaces_newer allows. IM016 and IM017: too many
-- documents or bytes; the detail is the limit.
CREATE OR REPLACE FUNCTION @.put_documents(
    p_owner_id bigint, p_app text, p_collections text[], p_ids bytea[], p_expected bigint[], p_bodies text[],
    p_shapes bigint[], p_sets bigint[], p_expiries bigint[], p_key_places bigint[], p_key_indexes bigint[],
    p_keys bytea[], p_request bigint, p_max_documents bigint, p_max_bytes bigint, p_replaces_newer boolean
) RETURNS TABLE (written bigint, existed boolean) LANGUAGE plpgsql AS $$
DECLARE
    v_shelf @.shelf;
    v_documents bigint;
    v_bytes bigint;
    v_now bigint;
    v_collection bigint;
    v_document bigint;
    v_size bigint;
    v_old record;
    v_counted record;
BEGIN
    SELECT * INTO v_shelf FROM @.shelf s WHERE s.owner_id = p_owner_id AND s.app_id = p_app FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO @.shelf (owner_id, app_id) VALUES (p_owner_id, p_app) ON CONFLICT (owner_id, app_id) DO NOTHING;
        SELECT * INTO STRICT v_shelf FROM @.shelf s WHERE s.owner_id = p_owner_id AND s.app_id = p_app
        FOR NO KEY UPDATE;
    END IF;
    v_now := @.micros();
    IF v_shelf.documents NOT BETWEEN 0 AND (1::bigint << 50) OR v_shelf.bytes NOT BETWEEN 0 AND (1::bigint << 50) THEN
        -- Damaged.
        SELECT count(*), coalesce(sum(greatest(least(d.bytes, 1::bigint << 40), 0))::bigint, 0)
        INTO v_shelf.documents, v_shelf.bytes
        FROM @.collection c JOIN @.document d ON d.collection_no = c.collection_no
        WHERE c.shelf_no = v_shelf.shelf_no;
    END IF;
    IF v_shelf.version NOT BETWEEN 0 AND (1::bigint << 60) THEN
        -- Beyond the number of writes so far.
        v_shelf.version := v_now;
    END IF;
    v_documents := v_shelf.documents;
    v_bytes := v_shelf.bytes;
    IF EXISTS (
        SELECT 1 FROM unnest(p_collections, p_ids) AS w (name, id)
        JOIN @.collection c ON c.shelf_no = v_shelf.shelf_no AND c.name = w.name
        JOIN @.document d ON d.collection_no = c.collection_no AND d.id = w.id
        WHERE d.request = p_request
    ) THEN
        RETURN QUERY
        SELECT coalesce(d.version, 0), true
        FROM unnest(p_collections, p_ids) WITH ORDINALITY AS w (name, id, place)
        LEFT JOIN @.collection c ON c.shelf_no = v_shelf.shelf_no AND c.name = w.name
        LEFT JOIN @.document d ON d.collection_no = c.collection_no AND d.id = w.id AND d.request = p_request
        ORDER BY w.place;
        RETURN;
    END IF;
    INSERT INTO @.collection (shelf_no, name)
    SELECT DISTINCT v_shelf.shelf_no, w.name FROM unnest(p_collections) AS w (name)
    WHERE NOT EXISTS (SELECT 1 FROM @.collection c WHERE c.shelf_no = v_shelf.shelf_no AND c.name = w.name);
    FOR v_place IN 1 .. cardinality(p_ids) LOOP
        SELECT c.collection_no INTO STRICT v_collection FROM @.collection c
        WHERE c.shelf_no = v_shelf.shelf_no AND c.name = p_collections[v_place];
        -- A damaged number counts as 0.
        SELECT d.document_no, greatest(d.version, 0) AS version, greatest(least(d.bytes, 1::bigint << 40), 0) AS bytes,
            d.created_at, d.expires_at, least(d.shape, 4294967295) AS shape,
            d.expires_at IS NULL OR d.expires_at > v_now AS is_there
        INTO v_old FROM @.document d WHERE d.collection_no = v_collection AND d.id = p_ids[v_place];
        existed := coalesce(v_old.is_there, false);
        written := CASE WHEN existed THEN v_old.version ELSE 0 END;
        IF p_expected[v_place] >= 0 AND p_expected[v_place] <> written THEN
            RAISE EXCEPTION 'refused by the ledger''s rules'
                USING ERRCODE = 'IM015', DETAIL = (v_place - 1) || ' ' || written;
        END IF;
        IF existed AND NOT p_replaces_newer AND p_bodies[v_place] IS NOT NULL AND v_old.shape > p_shapes[v_place] THEN
            RAISE EXCEPTION 'refused by the ledger''s rules'
                USING ERRCODE = 'IM015', DETAIL = (v_place - 1) || ' ' || written || ' ' || v_old.shape;
        END IF;
        IF v_old.document_no IS NOT NULL THEN
            v_documents := v_documents - 1;
            v_bytes := v_bytes - v_old.bytes;
            DELETE FROM @.document_key k WHERE k.document_no = v_old.document_no;
        END IF;
        IF p_bodies[v_place] IS NULL THEN
            DELETE FROM @.document d WHERE d.document_no = v_old.document_no;
            written := 0;
            RETURN NEXT;
            CONTINUE;
        END IF;
        v_size := octet_length(p_ids[v_place]) + octet_length(p_bodies[v_place]);
        v_documents := v_documents + 1;
        v_bytes := v_bytes + v_size;
        v_shelf.version := v_shelf.version + 1;
        written := v_shelf.version;
        INSERT INTO @.document AS d (collection_no, id, version, shape, index_set, keyed_at, created_at, updated_at,
            expires_at, request, bytes, body)
        VALUES (
            v_collection, p_ids[v_place], written, p_shapes[v_place], p_sets[v_place], v_now,
            CASE WHEN existed THEN v_old.created_at ELSE v_now END, v_now,
            CASE WHEN p_expiries[v_place] >= 0 THEN @.later(v_now, p_expiries[v_place])
                WHEN p_expiries[v_place] IS NOT NULL AND existed THEN v_old.expires_at END,
            p_request, v_size, p_bodies[v_place])
        ON CONFLICT (collection_no, id) DO UPDATE SET version = excluded.version, shape = excluded.shape,
            index_set = excluded.index_set, keyed_at = excluded.keyed_at, created_at = excluded.created_at,
            updated_at = excluded.updated_at, expires_at = excluded.expires_at, request = excluded.request,
            bytes = excluded.bytes, body = excluded.body
        RETURNING d.document_no INTO v_document;
        INSERT INTO @.document_key (collection_no, index_no, key, document_no)
        SELECT v_collection, k.index_no, k.key, v_document
        FROM unnest(p_key_places, p_key_indexes, p_keys) AS k (place, index_no, key) WHERE k.place = v_place
        -- A key whose document is gone was left by damage.
        ON CONFLICT (collection_no, index_no, key) DO UPDATE SET document_no = excluded.document_no;
        RETURN NEXT;
    END LOOP;
    IF v_documents < 0 OR v_bytes < 0 THEN
        -- Damaged: less than what was removed.
        SELECT count(*) AS documents, coalesce(sum(greatest(least(d.bytes, 1::bigint << 40), 0))::bigint, 0) AS bytes
        INTO v_counted
        FROM @.collection c JOIN @.document d ON d.collection_no = c.collection_no
        WHERE c.shelf_no = v_shelf.shelf_no;
        v_shelf.documents := v_counted.documents - (v_documents - v_shelf.documents);
        v_shelf.bytes := v_counted.bytes - (v_bytes - v_shelf.bytes);
        v_documents := v_counted.documents;
        v_bytes := v_counted.bytes;
    END IF;
    IF v_documents > p_max_documents AND v_documents > v_shelf.documents THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM016', DETAIL = p_max_documents::text;
    END IF;
    IF v_bytes > p_max_bytes AND v_bytes > v_shelf.bytes THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM017', DETAIL = p_max_bytes::text;
    END IF;
    UPDATE @.shelf s SET documents = v_documents, bytes = v_bytes, version = v_shelf.version
    WHERE s.shelf_no = v_shelf.shelf_no;
END $$;
