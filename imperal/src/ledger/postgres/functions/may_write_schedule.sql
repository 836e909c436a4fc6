-- Refuses a write of a schedule by a node that has ended, or by work that is not this user's, or may not write any more.
-- p_node is null for a person; p_call_id and p_task_id are null for a node.
CREATE OR REPLACE FUNCTION @.may_write_schedule(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_node IS NULL THEN RETURN; END IF;
    IF p_call_id IS NULL AND p_task_id IS NULL THEN
        PERFORM @.fence(p_node, p_incarnation);
    ELSE
        PERFORM @.check_owned_work(
            p_node, p_incarnation, p_call_id, p_task_id, p_attempt, @.find_owner(p_tenant, p_user)
        );
    END IF;
END $$;
