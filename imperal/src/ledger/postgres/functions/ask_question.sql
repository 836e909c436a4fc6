-- Stores a question of a task's attempt with its step and the task's event, and returns it. p_texts: name, text, schema,
-- fallback, value of the step. IM012: the task has p_max_open open questions; the error's detail is the limit.
CREATE OR REPLACE FUNCTION @.ask_question(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_question_id uuid, p_ordinal bigint,
    p_texts text[], p_within bigint, p_max_open bigint
) RETURNS SETOF @.question_record LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_open bigint;
    v_seq bigint;
    v_now bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
    IF v_task.task_name IS NULL THEN PERFORM @.refuse('IM003'); END IF;
    IF NOT @.is_replied(v_task.call_id) THEN PERFORM @.refuse('IM004'); END IF;
    IF EXISTS (SELECT 1 FROM @.question WHERE question_id = p_question_id)
        OR EXISTS (SELECT 1 FROM @.step WHERE task_no = v_task.task_no AND ordinal = p_ordinal)
    THEN
        PERFORM @.refuse('IM009');
    END IF;
    -- Its step is lost, so the task asks again.
    DELETE FROM @.question WHERE task_id = p_task_id AND ordinal = p_ordinal;
    v_open := @.count_questions(p_task_id);
    IF v_open >= p_max_open THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM012', DETAIL = p_max_open::text;
    END IF;
    v_seq := @.take_number(v_task.owner_id);
    v_now := @.micros();
    INSERT INTO @.step (task_no, ordinal, attempt, kind, name, began_at, done_at, value)
    VALUES (v_task.task_no, p_ordinal, p_attempt, 'question', p_texts[1], v_now, v_now, p_texts[5]);
    INSERT INTO @.question (question_id, task_id, ordinal, text, schema, fallback, asked_at, until)
    VALUES (p_question_id, p_task_id, p_ordinal, p_texts[2], p_texts[3], p_texts[4], v_now, @.later(v_now, p_within));
    UPDATE @.task SET open_questions = v_open + 1 WHERE task_id = p_task_id;
    PERFORM @.write_task_event(p_task_id, v_seq);
    RETURN QUERY SELECT * FROM @.question_record WHERE question_id = p_question_id;
END $$;
