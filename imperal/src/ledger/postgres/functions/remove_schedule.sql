-- Removes a schedule of the owner, with the audit row if there is one. Returns whether there was one.
CREATE OR REPLACE FUNCTION @.remove_schedule(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_schedule_id uuid, p_audit text[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.may_write_schedule(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, p_tenant, p_user);
    DELETE FROM @.schedule s WHERE s.schedule_id = p_schedule_id AND s.owner_id = @.find_owner(p_tenant, p_user);
    IF NOT FOUND THEN RETURN false; END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    RETURN true;
END $$;
