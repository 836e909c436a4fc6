-- Removes the rows of deleted files whose bytes are gone. Returns how many.
CREATE OR REPLACE FUNCTION @.forget_files(p_files uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_count bigint;
BEGIN
    DELETE FROM @.file f WHERE f.file_id IN (
        SELECT i.file_id FROM @.file i WHERE i.file_id = ANY (p_files) AND i.state = 'deleting'
            AND i.due_at <= @.micros() FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
