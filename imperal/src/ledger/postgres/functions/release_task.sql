-- Gives a running task back, with its event: to any process, or, if p_program cannot run it, to other versions. Parks
-- it if p_questions is not null: until p_wake_at, which may be null, or an answer to one of these ordinals. p_waited
-- is the part of the attempt that is no running time, p_notes what its holder says of it. A repeated release of the attempt that released it writes nothing.
-- Returns the task.
CREATE OR REPLACE FUNCTION @.release_task(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_program text,
    p_wake_at bigint, p_questions bigint[], p_waited bigint, p_notes text
) RETURNS SETOF @.task_record LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_seq bigint;
    v_now bigint;
    v_refused_since bigint;
    v_wait bigint := 0;
    v_parks boolean := false;
BEGIN
    -- FOR UPDATE waits for steps of the attempt that are being stored: the next attempt will read them.
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF NOT (v_task.node_id = v_node_id AND v_task.incarnation = p_incarnation AND v_task.attempt = p_attempt
        AND v_task.state IN ('queued', 'waiting', 'stuck'))
    THEN
        PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
        IF v_task.task_name IS NULL THEN PERFORM @.refuse('IM010'); END IF;
        v_seq := @.take_number(v_task.owner_id);
        v_now := @.micros();
        PERFORM @.write_attempt(v_task, v_now, CASE WHEN p_questions IS NOT NULL THEN 'parked'
            WHEN p_program IS NULL THEN 'handed_over' ELSE 'refused' END, p_notes);
        IF p_program IS NOT NULL THEN
            v_refused_since := @.refused_since(v_task.task_no);
            -- Versions that all refuse it do not hand it round.
            IF v_refused_since IS NOT NULL THEN v_wait := 30000000; END IF;
            v_refused_since := coalesce(v_refused_since, v_now);
        END IF;
        IF p_questions IS NOT NULL THEN
            -- An answer holds the task's row as well: it came before and is seen here, or it will see the park.
            -- A task that was asked to cancel goes on, and sees the request.
            v_parks := v_task.cancel_requested_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM unnest(p_questions) AS u (ordinal) WHERE NOT EXISTS (
                    SELECT 1 FROM @.question q
                    WHERE q.task_id = p_task_id AND q.ordinal = u.ordinal AND q.state = 'open'));
            IF NOT v_parks THEN PERFORM @.withdraw_lost(v_task, p_questions, v_now); END IF;
        END IF;
        UPDATE @.durable
        SET ran = @.sound(ran) + greatest(@.span(claimed_at, v_now) - p_waited, 0), claimed_at = NULL, claim_id = NULL,
            -- A program that could not try made no attempt without progress.
            fruitless = CASE WHEN p_questions IS NOT NULL THEN 0 WHEN p_program IS NULL THEN fruitless
                ELSE greatest(@.sound(fruitless) - 1, 0) END,
            crashes = CASE WHEN p_questions IS NOT NULL THEN 0 ELSE crashes END,
            refused_since = coalesce(v_refused_since, refused_since), stuck_since = v_refused_since
        WHERE task_no = v_task.task_no;
        UPDATE @.task
        SET state = CASE WHEN v_parks THEN 'waiting' WHEN p_program IS NULL THEN 'queued' ELSE 'stuck' END,
            waits_for = CASE WHEN v_parks THEN CASE cardinality(p_questions) WHEN 0 THEN 'time' ELSE 'answer' END
                WHEN p_program IS NULL THEN 'process' ELSE 'version' END,
            ready_at = CASE WHEN v_parks THEN p_wake_at ELSE v_now + v_wait END, deadline_at = NULL,
            refused_program = coalesce(p_program, refused_program),
            suspect = suspect AND p_questions IS NULL AND NOT @.has_progressed(task_no, attempt)
        WHERE task_id = p_task_id;
        PERFORM @.write_task_event(p_task_id, v_seq);
    END IF;
    RETURN QUERY SELECT * FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;
