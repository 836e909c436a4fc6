-- Deletes files that have expired, and pending ones that are older than p_grace unless the attempt that began them
-- still runs. Returns how many, and the files whose bytes are to be removed. A row that another transaction holds is
-- skipped, so this never waits.
CREATE OR REPLACE FUNCTION @.sweep_files(p_limit bigint, p_grace bigint, OUT deleted bigint, OUT due text[])
LANGUAGE plpgsql AS $$
DECLARE v_now bigint := @.micros();
BEGIN
    WITH look AS MATERIALIZED (
        SELECT f.file_no, f.file_id, f.state, f.state = 'pending' AND EXISTS (
            SELECT 1 FROM @.task t JOIN @.node n ON n.node_id = f.node_id AND n.incarnation = f.incarnation
            WHERE t.task_id = f.task_id AND t.state = 'running' AND t.node_id = f.node_id
                AND t.incarnation = f.incarnation AND t.attempt = f.attempt AND n.lease_until IS NOT NULL
        ) AS runs
        FROM @.file f WHERE f.due_at <= v_now ORDER BY f.due_at LIMIT p_limit FOR NO KEY UPDATE OF f SKIP LOCKED
    ), changed AS (
        UPDATE @.file f SET due_at = @.later(v_now, p_grace),
            state = CASE WHEN l.runs THEN f.state ELSE 'deleting' END
        FROM look l WHERE f.file_no = l.file_no AND l.state <> 'deleting' AND f.file_id = l.file_id RETURNING l.runs
    )
    SELECT (SELECT count(*) FROM changed c WHERE NOT c.runs),
        coalesce((SELECT array_agg(l.file_id::text) FROM look l WHERE l.state = 'deleting'), '{}')
    INTO deleted, due;
END $$;
