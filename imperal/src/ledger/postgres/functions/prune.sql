-- Removes old rows of some owners. The first four parameters are ages; null keeps for ever. An owner's
-- row is locked while its rows go; a row that another transaction holds is skipped, so this never
-- waits. A damaged number counts as 0. A task's steps, attempts and questions go with it and are not
-- counted.
CREATE OR REPLACE FUNCTION @.prune(
    p_turns bigint, p_tasks bigint, p_events bigint, p_audit bigint, p_from bigint, p_limit bigint,
    OUT turns bigint, OUT calls bigint, OUT tasks bigint, OUT events bigint, OUT audit bigint,
    OUT step_values bigint, OUT next bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_seen bigint := 0;
    v_left bigint;
    v_look record;
    v_owner @.owner;
    v_last bigint;
    v_needed bigint;
    v_hash bytea;
    v_count bigint;
    v_steps bigint;
BEGIN
    -- Rows that come back because the server crashed are removed by a later pass.
    PERFORM set_config('synchronous_commit', 'off', true);
    turns := 0; calls := 0; tasks := 0; events := 0; audit := 0;
    step_values := @.prune_values(p_limit);
    IF step_values >= p_limit THEN
        next := p_from;
        RETURN;
    END IF;
    FOR v_look IN
        SELECT w.owner_id,
            (SELECT u.at FROM @.turn u WHERE u.owner_id = w.owner_id AND u.seq > w.pruned ORDER BY u.seq LIMIT 1)
                < v_now - p_events IS TRUE
            OR (SELECT u.at FROM @.turn u WHERE u.owner_id = w.owner_id ORDER BY u.seq LIMIT 1)
                < v_now - p_turns IS TRUE
            OR (SELECT t.created_at FROM @.task t WHERE t.owner_id = w.owner_id ORDER BY t.task_no LIMIT 1)
                < v_now - p_tasks IS TRUE
            OR (SELECT a.at FROM @.audit a WHERE a.owner_id = w.owner_id ORDER BY a.audit_id LIMIT 1)
                < v_now - p_audit IS TRUE AS due
        FROM @.owner w WHERE w.owner_id > p_from ORDER BY w.owner_id LIMIT 1000
    LOOP
        v_seen := v_seen + 1;
        next := v_look.owner_id;
        CONTINUE WHEN NOT v_look.due;
        SELECT * INTO v_owner FROM @.owner w WHERE w.owner_id = v_look.owner_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        IF v_owner.pruned NOT BETWEEN 0 AND greatest(v_owner.head, 0) THEN v_owner.pruned := 0; END IF;
        v_left := p_limit - turns - calls - tasks - events - audit;
        -- A row beyond the owner's latest number has lost its place and is never reached.
        v_needed := least(@.first_needed(v_owner.owner_id), least(v_owner.head, 9007199254740992) + 1);
        v_last := @.last_old_turn(v_owner.owner_id, v_owner.pruned, v_needed, v_now - p_events, v_left);
        IF v_last IS NOT NULL THEN
            v_owner.pruned := v_last;
            UPDATE @.owner w SET pruned = v_last WHERE w.owner_id = v_owner.owner_id;
            DELETE FROM @.task_event e WHERE e.owner_id = v_owner.owner_id AND e.seq <= v_last;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            events := events + v_count;
        END IF;
        -- A task that began after its call was replied may need a call behind the floor.
        v_last := @.last_old_turn(
            v_owner.owner_id, 0, least(v_needed, v_owner.pruned + 1), v_now - p_turns, v_left);
        IF v_last IS NOT NULL THEN
            DELETE FROM @.turn u WHERE u.owner_id = v_owner.owner_id AND u.seq <= v_last;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            turns := turns + v_count;
        END IF;
        IF p_turns IS NOT NULL THEN
            -- Includes calls that the previous pass skipped because they were locked.
            DELETE FROM @.call c WHERE c.call_id IN (
                SELECT k.call_id FROM @.call k
                WHERE k.owner_id = v_owner.owner_id AND k.turn_seq <= v_owner.pruned AND k.turn_seq < coalesce(
                    (SELECT min(u.seq) FROM @.turn u WHERE u.owner_id = v_owner.owner_id), v_owner.pruned + 1)
                FOR UPDATE SKIP LOCKED
            );
            GET DIAGNOSTICS v_count = ROW_COUNT;
            calls := calls + v_count;
        END IF;
        WITH gone AS (
            DELETE FROM @.task t WHERE t.task_id IN (
                SELECT k.task_id FROM (
                    SELECT o.*, bool_and(o.created_at < v_now - p_tasks) OVER w AS old,
                        sum(o.steps) OVER w - o.steps AS steps_before
                    FROM (
                        SELECT i.task_id, i.task_no, i.created_at, CASE
                                WHEN i.task_name IS NOT NULL AND i.created_at < v_now - p_tasks
                                THEN (SELECT count(*) FROM @.step s WHERE s.task_no = i.task_no) ELSE 0
                            END AS steps
                        FROM @.task i WHERE i.owner_id = v_owner.owner_id ORDER BY i.task_no LIMIT v_left
                    ) AS o WINDOW w AS (ORDER BY o.task_no)
                ) AS j JOIN @.task k ON k.task_id = j.task_id
                -- A task has up to 10,000 steps, which go with it.
                WHERE j.old AND j.steps_before < 10000 AND k.finished_at < v_now - p_tasks
                    AND k.outcome_seq <= v_owner.pruned
                FOR UPDATE OF k SKIP LOCKED
            ) RETURNING t.task_no, t.task_id
        ), steps AS (
            DELETE FROM @.step s USING gone WHERE s.task_no = gone.task_no RETURNING 1
        ), durable AS (
            DELETE FROM @.durable d USING gone WHERE d.task_no = gone.task_no
        ), attempts AS (
            DELETE FROM @.attempt a USING gone WHERE a.task_no = gone.task_no
        ), questions AS (
            DELETE FROM @.question q USING gone WHERE q.task_id = gone.task_id
        )
        SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM steps) INTO v_count, v_steps;
        tasks := tasks + v_count;
        SELECT j.audit_id, j.hash, j.place INTO v_last, v_hash, v_count FROM (
            SELECT o.audit_id, o.hash, row_number() OVER (ORDER BY o.audit_id) AS place,
                bool_and(o.at < v_now - p_audit) OVER (ORDER BY o.audit_id) AS old
            FROM (
                SELECT a.audit_id, a.at, a.hash FROM @.audit a
                WHERE a.owner_id = v_owner.owner_id ORDER BY a.audit_id LIMIT v_left
            ) AS o
        ) AS j WHERE j.old ORDER BY j.audit_id DESC LIMIT 1;
        IF FOUND THEN
            UPDATE @.owner w SET audit_anchor = v_hash, audit_pruned = v_count
                + CASE WHEN w.audit_pruned BETWEEN 0 AND 9007199254740992 THEN w.audit_pruned ELSE 0 END
            WHERE w.owner_id = v_owner.owner_id;
            DELETE FROM @.audit a WHERE a.owner_id = v_owner.owner_id AND a.audit_id <= v_last;
            audit := audit + v_count;
        END IF;
        IF turns + calls + tasks + events + audit >= p_limit OR v_steps >= 10000 THEN
            -- Continue with the same owner, which may have more.
            next := v_owner.owner_id - 1;
            RETURN;
        END IF;
    END LOOP;
    IF v_seen < 1000 THEN next := NULL; END IF;
END $$;
