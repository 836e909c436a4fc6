-- Notes the content of a pending file, and stores it if p_is_stored. The same again changes nothing. Returns the row.
-- IM019: there is no such file that this work began; the error's detail is the id.
CREATE OR REPLACE FUNCTION @.complete_file(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_file_id uuid, p_content_type text, p_size bigint, p_sha256 bytea, p_is_stored boolean, p_max_files bigint,
    p_max_bytes bigint
) RETURNS @.file LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint := @.find_owner(p_tenant, p_user);
    v_file @.file;
BEGIN
    PERFORM @.check_file_source(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, v_owner_id);
    PERFORM @.lock_shelf(v_owner_id, f.app_id) FROM @.file f WHERE f.file_id = p_file_id AND f.owner_id = v_owner_id;
    SELECT * INTO v_file FROM @.file f WHERE f.file_id = p_file_id AND f.owner_id = v_owner_id
        AND f.node_id = @.fence(p_node, p_incarnation) AND f.incarnation = p_incarnation
        AND f.call_id IS NOT DISTINCT FROM p_call_id AND f.task_id IS NOT DISTINCT FROM p_task_id
        AND f.attempt IS NOT DISTINCT FROM p_attempt
        AND f.state <> 'deleting' AND (f.expires_at IS NULL OR f.expires_at > @.micros())
    FOR NO KEY UPDATE;
    IF NOT FOUND OR (v_file.sha256 IS NOT NULL AND (v_file.sha256 <> p_sha256 OR v_file.size <> p_size)) THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM019', DETAIL = p_file_id::text;
    END IF;
    IF v_file.sha256 IS NOT NULL THEN RETURN v_file; END IF;
    PERFORM @.count_file(v_owner_id, v_file.app_id, greatest(v_file.size, 0), p_size, p_max_files, p_max_bytes);
    UPDATE @.file f SET content_type = p_content_type, size = p_size, sha256 = p_sha256,
        state = CASE WHEN p_is_stored THEN 'stored' ELSE f.state END,
        due_at = CASE WHEN p_is_stored THEN f.expires_at ELSE f.due_at END
    WHERE f.file_id = p_file_id RETURNING * INTO v_file;
    RETURN v_file;
END $$;
