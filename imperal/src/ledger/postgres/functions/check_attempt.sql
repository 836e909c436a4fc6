-- Refuses a write of a task's attempt unless the incarnation holds the task in it.
CREATE OR REPLACE FUNCTION @.check_attempt(p_task @.task, p_node_id bigint, p_incarnation bigint, p_attempt bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_state text := @.state_of(p_task);
BEGIN
    IF p_task.node_id <> p_node_id OR p_task.incarnation <> p_incarnation OR p_task.attempt <> p_attempt
        OR v_state IN ('queued', 'waiting', 'stuck')
    THEN
        PERFORM @.refuse('IM010');
    END IF;
    IF v_state <> 'running' THEN PERFORM @.refuse('IM008'); END IF;
END $$;
