-- store_step_documents, together with changes of files of the task's owner and the documents' extension. IM019: a file
-- to store is not there; the error's detail is its id.
CREATE OR REPLACE FUNCTION @.store_step_files(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_step text[], p_app text,
    p_collections text[], p_ids bytea[], p_expected bigint[], p_bodies text[], p_shapes bigint[], p_sets bigint[],
    p_expiries bigint[], p_key_places bigint[], p_key_indexes bigint[], p_keys bytea[], p_request bigint,
    p_max_documents bigint, p_max_bytes bigint, p_stores uuid[], p_deletes uuid[], p_grace bigint
) RETURNS TABLE (written bigint, existed boolean) LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint;
    v_missing uuid;
BEGIN
    RETURN QUERY SELECT * FROM @.store_step_documents(
        p_node, p_incarnation, p_task_id, p_attempt, p_step, p_app, p_collections, p_ids, p_expected, p_bodies, p_shapes,
        p_sets, p_expiries, p_key_places, p_key_indexes, p_keys, p_request, p_max_documents, p_max_bytes);
    SELECT t.owner_id INTO STRICT v_owner_id FROM @.task t WHERE t.task_id = p_task_id;
    -- Files to store and to delete in one order: another transaction may need some of both.
    PERFORM @.lock_files(v_owner_id, p_stores || p_deletes);
    v_missing := @.claim_files(v_owner_id, p_app, p_stores);
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM019', DETAIL = v_missing::text;
    END IF;
    PERFORM @.mark_file_deleted(v_owner_id, d.file_id, p_grace)
    FROM (SELECT u.file_id FROM unnest(p_deletes) AS u (file_id) ORDER BY u.file_id) AS d;
END $$;
