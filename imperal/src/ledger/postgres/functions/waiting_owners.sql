-- The owners with ready tasks in a queue, in their turns, each with the slots that it has; p_suspects: suspects count,
-- too. One look into the index for each owner.
CREATE OR REPLACE FUNCTION @.waiting_owners(p_app text, p_queue text, p_now bigint, p_suspects boolean)
RETURNS TABLE (owner_id bigint, served bigint, first_ready_at bigint, slots bigint) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE o (suspect, owner_id) AS (
        SELECT k.suspect, f.owner_id FROM (VALUES (false), (true)) AS k (suspect) CROSS JOIN LATERAL (
            SELECT t.owner_id FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND t.suspect = k.suspect AND t.ready_at IS NOT NULL
            ORDER BY t.owner_id LIMIT 1
        ) AS f
        WHERE p_suspects OR NOT k.suspect
        UNION ALL
        SELECT o.suspect, n.owner_id FROM o CROSS JOIN LATERAL (
            SELECT t.owner_id FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND t.suspect = o.suspect AND t.ready_at IS NOT NULL
                AND t.owner_id > o.owner_id
            ORDER BY t.owner_id LIMIT 1
        ) AS n
    ), w AS (
        SELECT o.owner_id, min(f.ready_at) AS first_ready_at FROM o CROSS JOIN LATERAL (
            SELECT t.ready_at FROM @.task t
            WHERE t.app_id = p_app AND t.queue = p_queue AND t.suspect = o.suspect AND t.owner_id = o.owner_id
                AND t.ready_at <= p_now
            ORDER BY t.ready_at LIMIT 1
        ) AS f GROUP BY o.owner_id
    )
    SELECT w.owner_id, coalesce(q.served, 0), w.first_ready_at, (
        SELECT count(*) FROM @.task t WHERE t.app_id = p_app AND t.queue = p_queue AND t.owner_id = w.owner_id
            AND t.state = 'running' AND NOT t.abandoned)
    FROM w LEFT JOIN @.queue_owner q ON q.app_id = p_app AND q.queue = p_queue AND q.owner_id = w.owner_id
    ORDER BY 2, 3, 1
$$;
