-- Deletes a file of an owner, and returns whether it did. p_grace: how long its bytes are kept. Locks the shelf before the
-- file, as every writer. Totals below the size of the file are damaged: -1 files make the next write count them again.
CREATE OR REPLACE FUNCTION @.mark_file_deleted(p_owner_id bigint, p_file_id uuid, p_grace bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_app text;
    v_bytes bigint;
BEGIN
    PERFORM @.lock_shelf(p_owner_id, f.app_id) FROM @.file f WHERE f.file_id = p_file_id AND f.owner_id = p_owner_id;
    UPDATE @.file f SET state = 'deleting', due_at = @.later(@.micros(), p_grace)
    WHERE f.file_id = p_file_id AND f.owner_id = p_owner_id AND f.state <> 'deleting'
        AND (f.expires_at IS NULL OR f.expires_at > @.micros())
    RETURNING f.app_id, greatest(least(f.size, 1::bigint << 46), 0) INTO v_app, v_bytes;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE @.shelf s SET
        files = CASE WHEN s.files BETWEEN 1 AND 1::bigint << 50 AND s.file_bytes BETWEEN v_bytes AND 1::bigint << 50
            THEN s.files - 1 ELSE -1 END,
        file_bytes = CASE WHEN s.file_bytes >= v_bytes THEN s.file_bytes - v_bytes ELSE s.file_bytes END
    WHERE s.owner_id = p_owner_id AND s.app_id = v_app;
    RETURN true;
END $$;
