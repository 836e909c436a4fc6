-- Stores the latest report of each task and returns the owners to notify. Tasks that this incarnation
-- does not run are skipped.
CREATE OR REPLACE FUNCTION @.note_progress(
    p_node text, p_incarnation bigint, p_task_ids uuid[], p_percents double precision[], p_messages text[],
    p_ats bigint[]
) RETURNS TABLE (task_id uuid, owner_id bigint, tenant_id text, user_id text) LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint := @.fence(p_node, p_incarnation);
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE @.task t
    SET percent = said.percent, message = said.message, progress_at = said.at, progress_no = t.progress_no + 1
    FROM (
        SELECT DISTINCT ON (u.task_id) u.* FROM unnest(p_task_ids, p_percents, p_messages, p_ats)
        WITH ORDINALITY AS u (task_id, percent, message, at, place) ORDER BY u.task_id, u.place DESC
    ) said, @.owner w
    WHERE t.task_id = said.task_id AND t.node_id = v_node_id AND t.incarnation = p_incarnation AND t.state = 'running'
        AND w.owner_id = t.owner_id
    RETURNING t.task_id, w.owner_id, w.tenant_id, w.user_id;
END $$;
