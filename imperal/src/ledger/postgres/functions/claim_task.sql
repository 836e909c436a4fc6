-- Takes up one task if it is still ready: 'claimed', or 'suspect' for one whose attempts crashed without progress.
-- 'full': its owner is locked, or has as many running tasks as they may. 'gone': another transaction has the task.
-- Waits for none.
CREATE OR REPLACE FUNCTION @.claim_task(
    p_node_id bigint, p_incarnation bigint, p_claim_id uuid, p_task_id uuid, p_program text, p_suspect boolean,
    p_max_running bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_durable @.durable;
    v_progressed boolean;
    v_seq bigint;
    v_now bigint;
BEGIN
    -- The row as it is now, not as the caller's list of candidates saw it.
    SELECT * INTO v_task FROM @.task
    WHERE task_id = p_task_id AND ready_at <= @.micros() AND state <> 'running' AND outcome_seq IS NULL
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN 'gone'; END IF;
    SELECT * INTO v_durable FROM @.durable WHERE task_no = v_task.task_no;
    -- Damaged: nothing could continue it.
    IF NOT FOUND THEN RETURN 'gone'; END IF;
    v_progressed := @.has_progressed(v_task.task_no, v_task.attempt);
    IF v_progressed THEN
        v_durable.crashes := 0;
        v_durable.fruitless := 0;
    END IF;
    IF v_task.refused_program = p_program OR v_durable.crashes >= 2 AND NOT p_suspect THEN RETURN 'gone'; END IF;
    PERFORM 1 FROM @.owner WHERE owner_id = v_task.owner_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND OR @.running_tasks(v_task.owner_id) >= p_max_running THEN RETURN 'full'; END IF;
    v_seq := @.take_number(v_task.owner_id);
    v_now := @.micros();
    UPDATE @.task
    SET node_id = p_node_id, incarnation = p_incarnation, state = 'running', abandoned = false, waits_for = NULL,
        ready_at = NULL, interrupted_at = NULL, untold_since = NULL, suspect = v_durable.crashes >= 2,
        deadline_at = @.later(v_now, greatest(@.sound(v_durable.cap) - @.sound(v_durable.ran), 1000000)),
        attempt = 1 + CASE WHEN v_task.attempt BETWEEN 0 AND 2147483646 THEN v_task.attempt
            ELSE (SELECT coalesce(max(s.attempt), 0) FROM @.step s
                  WHERE s.task_no = v_task.task_no AND s.attempt BETWEEN 0 AND 2147483646)
        END
    WHERE task_id = p_task_id;
    UPDATE @.durable
    SET crashes = @.sound(v_durable.crashes), fruitless = @.sound(v_durable.fruitless) + 1, claimed_at = v_now,
        program = p_program, was_ready_at = v_task.ready_at, claim_id = p_claim_id, stuck_since = NULL
    WHERE task_no = v_task.task_no;
    PERFORM @.write_task_event(p_task_id, v_seq);
    RETURN CASE WHEN v_durable.crashes >= 2 THEN 'suspect' ELSE 'claimed' END;
END $$;
