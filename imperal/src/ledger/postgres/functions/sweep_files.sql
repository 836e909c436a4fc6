-- Deletes files that have expired, and pending ones that are older than p_grace unless the attempt that began them
-- still runs. Returns how many, and the files whose bytes are to be removed. A shelf or row that another transaction holds
-- is skipped, so this never waits.
CREATE OR REPLACE FUNCTION @.sweep_files(p_limit bigint, p_grace bigint, OUT deleted bigint, OUT due text[])
LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_shelves bigint[];
BEGIN
    SELECT array_agg(h.shelf_no) INTO v_shelves FROM (
        SELECT s.shelf_no FROM @.shelf s WHERE s.shelf_no IN (
            SELECT i.shelf_no FROM (
                SELECT f.owner_id, f.app_id, f.state FROM @.file f WHERE f.due_at <= v_now ORDER BY f.due_at LIMIT p_limit
            ) AS o JOIN @.shelf i ON i.owner_id = o.owner_id AND i.app_id = o.app_id
            WHERE o.state <> 'deleting'
        ) FOR NO KEY UPDATE SKIP LOCKED
    ) AS h;
    WITH look AS MATERIALIZED (
        SELECT f.file_no, f.file_id, f.state, s.shelf_no, f.state = 'pending' AND EXISTS (
            SELECT 1 FROM @.task t JOIN @.node n ON n.node_id = f.node_id AND n.incarnation = f.incarnation
            WHERE t.task_id = f.task_id AND t.state = 'running' AND t.node_id = f.node_id
                AND t.incarnation = f.incarnation AND t.attempt = f.attempt AND n.lease_until IS NOT NULL
        ) AS runs
        FROM @.file f LEFT JOIN @.shelf s ON s.owner_id = f.owner_id AND s.app_id = f.app_id
        WHERE f.due_at <= v_now AND (f.state = 'deleting' OR s.shelf_no IS NULL OR s.shelf_no = ANY (v_shelves))
        ORDER BY f.due_at LIMIT p_limit FOR NO KEY UPDATE OF f SKIP LOCKED
    ), changed AS (
        UPDATE @.file f SET due_at = @.later(v_now, p_grace),
            state = CASE WHEN l.runs THEN f.state ELSE 'deleting' END
        FROM look l WHERE f.file_no = l.file_no AND l.state <> 'deleting' AND f.file_id = l.file_id
        RETURNING l.runs, l.shelf_no, greatest(least(f.size, 1::bigint << 46), 0) AS bytes
    ), less AS (
        -- As in mark_file_deleted.
        UPDATE @.shelf s SET
            files = CASE WHEN s.files BETWEEN o.files AND 1::bigint << 50
                AND s.file_bytes BETWEEN o.bytes AND 1::bigint << 50 THEN s.files - o.files ELSE -1 END,
            file_bytes = CASE WHEN s.file_bytes >= o.bytes THEN s.file_bytes - o.bytes ELSE s.file_bytes END
        FROM (
            SELECT c.shelf_no, count(*) AS files, sum(c.bytes)::bigint AS bytes FROM changed c
            WHERE NOT c.runs GROUP BY c.shelf_no
        ) AS o WHERE s.shelf_no = o.shelf_no
    )
    SELECT (SELECT count(*) FROM changed c WHERE NOT c.runs),
        coalesce((SELECT array_agg(l.file_id::text) FROM look l WHERE l.state = 'deleting'), '{}')
    INTO deleted, due;
END $$;
