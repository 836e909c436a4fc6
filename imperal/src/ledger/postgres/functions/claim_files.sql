-- Stores files of an owner and an extension that have content. Returns the first id without such a file, or null.
CREATE OR REPLACE FUNCTION @.claim_files(p_owner_id bigint, p_app text, p_files uuid[]) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE v_missing uuid;
BEGIN
    PERFORM @.lock_files(p_owner_id, p_files);
    SELECT u.file_id INTO v_missing FROM unnest(p_files) WITH ORDINALITY AS u (file_id, place)
    WHERE NOT EXISTS (
        SELECT 1 FROM @.file f WHERE f.file_id = u.file_id AND f.owner_id = p_owner_id AND f.app_id = p_app
            AND f.sha256 IS NOT NULL AND f.state <> 'deleting'
            AND (f.expires_at IS NULL OR f.expires_at > @.micros())
    ) ORDER BY u.place LIMIT 1;
    IF v_missing IS NULL THEN
        UPDATE @.file f SET state = 'stored', due_at = f.expires_at
        WHERE f.file_id = ANY (p_files) AND f.owner_id = p_owner_id AND f.state = 'pending';
    END IF;
    RETURN v_missing;
END $$;
