-- Stores the latest report of each task and returns the owners to notify. Tasks that this incarnation does not hold
-- in the reported attempt are skipped. Null keeps what an earlier report said.
CREATE OR REPLACE FUNCTION @.note_progress(
    p_node text, p_incarnation bigint, p_task_ids uuid[], p_attempts bigint[], p_percents double precision[],
    p_messages text[], p_steps text[], p_ats bigint[]
) RETURNS TABLE (task_id uuid, attempt bigint, owner_id bigint, tenant_id text, user_id text) LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint := @.fence(p_node, p_incarnation);
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- In one order, so that two batches cannot wait for each other.
    PERFORM FROM @.task t WHERE t.task_id = ANY (p_task_ids) AND t.node_id = v_node_id AND t.incarnation = p_incarnation
        AND t.state = 'running'
    ORDER BY t.task_id FOR NO KEY UPDATE;
    RETURN QUERY
    UPDATE @.task t
    SET percent = coalesce(said.percent, t.percent), message = coalesce(said.message, t.message),
        steps = coalesce(said.steps, t.steps), progress_at = said.at, progress_no = t.progress_no + 1
    FROM (
        SELECT u.task_id, u.attempt,
            (array_agg(u.percent ORDER BY u.place DESC) FILTER (WHERE u.percent IS NOT NULL))[1] AS percent,
            (array_agg(u.message ORDER BY u.place DESC) FILTER (WHERE u.message IS NOT NULL))[1] AS message,
            (array_agg(u.steps ORDER BY u.place DESC) FILTER (WHERE u.steps IS NOT NULL))[1] AS steps,
            (array_agg(u.at ORDER BY u.place DESC))[1] AS at
        FROM unnest(p_task_ids, p_attempts, p_percents, p_messages, p_steps, p_ats)
            WITH ORDINALITY AS u (task_id, attempt, percent, message, steps, at, place)
        GROUP BY u.task_id, u.attempt
    ) said, @.owner w
    WHERE t.task_id = said.task_id AND t.attempt = said.attempt AND t.node_id = v_node_id
        AND t.incarnation = p_incarnation AND t.state = 'running' AND w.owner_id = t.owner_id
    RETURNING t.task_id, t.attempt, w.owner_id, w.tenant_id, w.user_id;
END $$;
