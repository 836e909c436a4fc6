-- Writes a call and its user turn, and stores the call's files. The files are locked before the owner, as everywhere.
-- The refusals of the call come first. IM019: a file is not there; the error's detail is its id.
CREATE OR REPLACE FUNCTION @.accept_call_files(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text,
    p_max_stored bigint, p_app text, p_files uuid[]
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    -- Before the rows of the files are locked.
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_missing uuid := @.claim_files(@.find_or_add_owner(p_tenant, p_user), p_app, p_files);
    v_stamp @.stamp;
BEGIN
    v_stamp := @.accept_call(p_node, p_incarnation, p_call_id, p_tenant, p_user, p_turn_id, p_body, p_max_stored);
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM019', DETAIL = v_missing::text;
    END IF;
    RETURN v_stamp;
END $$;
