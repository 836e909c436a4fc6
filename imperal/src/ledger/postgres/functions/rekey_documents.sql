-- Adds the keys of another set of indexes to documents of an owner's collection that have this version and this number
-- of indexes (p_sets), and gives them another number (p_joined). If a document then had more than p_most_keys, it loses
-- its earlier ones and has the number p_set, unless it was keyed less than p_keyed_for ago. p_key_places: the document's
-- place, from 1. Returns how many it keyed.
CREATE OR REPLACE FUNCTION @.rekey_documents(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_app text, p_collection text, p_set bigint, p_ids bytea[], p_versions bigint[], p_sets bigint[], p_joined bigint[],
    p_key_places bigint[], p_key_indexes bigint[], p_keys bytea[], p_most_keys bigint, p_keyed_for bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint := @.find_owner(p_tenant, p_user);
    v_shelf_no bigint;
    v_collection bigint;
    v_document bigint;
    v_keyed_at bigint;
    v_added bigint[];
    v_has_room boolean;
    v_now bigint;
    v_count bigint := 0;
BEGIN
    PERFORM @.check_owned_work(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, v_owner_id);
    SELECT s.shelf_no INTO v_shelf_no FROM @.shelf s WHERE s.owner_id = v_owner_id AND s.app_id = p_app
    FOR NO KEY UPDATE;
    SELECT c.collection_no INTO v_collection FROM @.collection c
    WHERE c.shelf_no = v_shelf_no AND c.name = p_collection;
    v_now := @.micros();
    FOR v_place IN 1 .. cardinality(p_ids) LOOP
        SELECT d.document_no, d.keyed_at INTO v_document, v_keyed_at FROM @.document d
        WHERE d.collection_no = v_collection AND d.id = p_ids[v_place] AND d.version = p_versions[v_place]
            AND d.index_set = p_sets[v_place];
        CONTINUE WHEN NOT FOUND;
        SELECT coalesce(array_agg(k.index_no), '{}') INTO v_added
        FROM unnest(p_key_places, p_key_indexes) AS k (place, index_no) WHERE k.place = v_place;
        v_has_room := cardinality(v_added) + (
            SELECT count(*) FROM @.document_key k
            WHERE k.document_no = v_document AND NOT k.index_no = ANY (v_added) AND p_sets[v_place] <> 0
        ) <= p_most_keys;
        CONTINUE WHEN NOT v_has_room AND v_keyed_at > v_now - p_keyed_for;
        DELETE FROM @.document_key k
        WHERE k.document_no = v_document AND (
            -- Keys of a document without indexes were left by damage.
            NOT v_has_room OR k.index_no = ANY (v_added) OR p_sets[v_place] = 0
        );
        INSERT INTO @.document_key (collection_no, index_no, key, document_no)
        SELECT v_collection, k.index_no, k.key, v_document
        FROM unnest(p_key_places, p_key_indexes, p_keys) AS k (place, index_no, key) WHERE k.place = v_place
        ON CONFLICT (collection_no, index_no, key) DO UPDATE SET document_no = excluded.document_no;
        UPDATE @.document d SET index_set = CASE WHEN v_has_room THEN p_joined[v_place] ELSE p_set END, keyed_at = v_now
        WHERE d.document_no = v_document;
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;
