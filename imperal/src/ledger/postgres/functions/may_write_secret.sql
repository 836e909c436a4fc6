-- Refuses a write of a secret by work that is not this user's, or may not write any more. p_node is null for a person.
CREATE OR REPLACE FUNCTION @.may_write_secret(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_node IS NULL THEN RETURN; END IF;
    PERFORM @.check_owned_work(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, @.find_owner(p_tenant, p_user));
END $$;
