-- Whether a call has its reply. A call whose row is missing gets none, so nothing waits for it.
CREATE OR REPLACE FUNCTION @.is_replied(p_call_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (
    SELECT NOT EXISTS (
        SELECT 1 FROM @.call WHERE call_id = p_call_id AND state <> 'replied'
            AND (state IN ('open', 'left') OR reply_seq IS NULL))
); END $$;
