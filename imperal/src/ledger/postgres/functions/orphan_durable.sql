-- Gives up the running durable tasks of an incarnation that ends: another process continues them. Without events,
-- so that the transaction locks no owners; announce_queued writes them. The attempt's running time counts up to the last
-- row that it stored. p_ended_by: 'crashed', 'drained' or 'left'. p_alive_at: when the node was last known to be alive.
-- The caller holds the node's lock exclusively.
CREATE OR REPLACE FUNCTION @.orphan_durable(
    p_node_id bigint, p_incarnation bigint, p_ended_by text, p_alive_at bigint
) RETURNS void LANGUAGE sql AS $$
    WITH held AS MATERIALIZED (
        SELECT h.*, CASE
                WHEN p_ended_by <> 'crashed' OR crashes < 2 THEN 0 WHEN crashes = 2 THEN 10000000 WHEN crashes = 3 THEN 60000000
                ELSE 300000000
            END AS wait,
            least(greatest(p_alive_at, claimed_at, last_step_at), @.micros()) AS ended_at
        FROM (
            SELECT t.task_id, t.task_no, t.attempt, l.last_step_at, d.claimed_at, d.program, CASE
                    WHEN @.has_progressed(t.task_no, t.attempt) THEN (p_ended_by = 'crashed')::int
                    WHEN p_ended_by <> 'crashed' THEN @.sound(d.crashes) ELSE @.sound(d.crashes) + 1
                END AS crashes
            FROM @.task t
            LEFT JOIN @.durable d ON d.task_no = t.task_no
            CROSS JOIN LATERAL @.last_step_at(t.task_no, t.attempt) AS l (last_step_at)
            WHERE t.node_id = p_node_id AND t.incarnation = p_incarnation AND t.state = 'running'
                AND t.task_name IS NOT NULL
        ) AS h
    ), stopped AS (
        UPDATE @.durable d
        SET ran = @.sound(d.ran) + @.span(d.claimed_at, h.last_step_at), claimed_at = NULL, claim_id = NULL,
            crashes = h.crashes
        FROM held h WHERE d.task_no = h.task_no
    ), remembered AS (
        INSERT INTO @.attempt (task_no, number, node_id, program, began_at, ended_at, ended_by)
        SELECT task_no, attempt, p_node_id, coalesce(program, ''), coalesce(claimed_at, ended_at), ended_at, p_ended_by
        FROM held
        ON CONFLICT (task_no, number) DO UPDATE
        SET node_id = excluded.node_id, program = excluded.program, began_at = excluded.began_at,
            ended_at = excluded.ended_at, ended_by = excluded.ended_by, notes = NULL
    ), forgotten AS (
        DELETE FROM @.attempt a USING held h
        WHERE a.task_no = h.task_no AND a.number > 16 AND a.number <= @.sound(h.attempt) - 240
    )
    UPDATE @.task t
    SET state = 'queued', waits_for = CASE WHEN h.wait = 0 THEN 'process' ELSE 'retry' END,
        ready_at = @.later(@.micros(), h.wait), deadline_at = NULL, untold_since = @.micros(),
        interrupted_at = h.ended_at, suspect = coalesce(h.crashes >= 2, false)
    FROM held h WHERE t.task_id = h.task_id;
$$;
