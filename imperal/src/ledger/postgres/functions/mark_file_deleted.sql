-- Deletes a file of an owner; whether it was there. p_grace: how long its bytes are kept.
CREATE OR REPLACE FUNCTION @.mark_file_deleted(p_owner_id bigint, p_file_id uuid, p_grace bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE @.file f SET state = 'deleting', due_at = @.later(@.micros(), p_grace)
    WHERE f.file_id = p_file_id AND f.owner_id = p_owner_id AND f.state <> 'deleting'
        AND (f.expires_at IS NULL OR f.expires_at > @.micros());
    RETURN FOUND;
END $$;
