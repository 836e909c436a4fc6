-- Refuses a write of a file by work that is not this owner's or may not write any more, or by an incarnation that has
-- ended. Without call and task the file is a user's upload.
CREATE OR REPLACE FUNCTION @.check_file_source(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_owner_id bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_call_id IS NULL AND p_task_id IS NULL THEN
        PERFORM @.fence(p_node, p_incarnation);
    ELSE
        PERFORM @.check_owned_work(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, p_owner_id);
    END IF;
END $$;
