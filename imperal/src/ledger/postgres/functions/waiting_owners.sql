-- The owners with ready tasks in a queue, in their turns, each with the slots that it has. One look into the index for
-- each owner.
CREATE OR REPLACE FUNCTION @.waiting_owners(p_app text, p_queue text, p_now bigint)
RETURNS TABLE (owner_id bigint, served bigint, first_ready_at bigint, slots bigint) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE o (owner_id) AS (
        (SELECT t.owner_id FROM @.task t WHERE t.app_id = p_app AND t.queue = p_queue AND t.ready_at IS NOT NULL
         ORDER BY t.owner_id LIMIT 1)
        UNION ALL
        SELECT n.owner_id FROM o CROSS JOIN LATERAL (
            SELECT t.owner_id FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND t.ready_at IS NOT NULL AND t.owner_id > o.owner_id
            ORDER BY t.owner_id LIMIT 1
        ) AS n
    )
    SELECT o.owner_id, coalesce(q.served, 0), f.ready_at, (
        SELECT count(*) FROM @.task t WHERE t.app_id = p_app AND t.queue = p_queue AND t.owner_id = o.owner_id
            AND t.state = 'running' AND NOT t.abandoned)
    FROM o CROSS JOIN LATERAL (
        SELECT t.ready_at FROM @.task t
        WHERE t.app_id = p_app AND t.queue = p_queue AND t.owner_id = o.owner_id AND t.ready_at <= p_now
        ORDER BY t.ready_at LIMIT 1
    ) AS f
    LEFT JOIN @.queue_owner q ON q.app_id = p_app AND q.queue = p_queue AND q.owner_id = o.owner_id
    ORDER BY 2, 3, 1
$$;
