-- Deletes a file for its owner's work, or for a person, whose p_node is null. Returns whether it did.
CREATE OR REPLACE FUNCTION @.delete_file(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_audit text[], p_tenant text,
    p_user text, p_file_id uuid, p_grace bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_owner_id bigint := @.find_owner(p_tenant, p_user);
BEGIN
    IF p_node IS NOT NULL THEN
        PERFORM @.check_owned_work(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, v_owner_id);
    END IF;
    IF NOT coalesce(@.mark_file_deleted(v_owner_id, p_file_id, p_grace), false) THEN RETURN false; END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    RETURN true;
END $$;
