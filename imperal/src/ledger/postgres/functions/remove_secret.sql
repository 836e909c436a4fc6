-- Removes a secret, with the audit row. Returns whether there was one.
CREATE OR REPLACE FUNCTION @.remove_secret(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_audit text[], p_tenant text,
    p_user text, p_app text, p_name text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.may_write_secret(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, p_tenant, p_user);
    DELETE FROM @.secret s WHERE s.tenant_id = p_tenant AND s.user_id = p_user AND s.app_id = p_app AND s.name = p_name;
    IF NOT FOUND THEN RETURN false; END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    RETURN true;
END $$;
