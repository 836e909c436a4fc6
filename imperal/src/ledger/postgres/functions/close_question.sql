-- Closes a question of a task's attempt, with the task's event, unless it is closed already. Returns the question. A
-- damaged state counts as open.
CREATE OR REPLACE FUNCTION @.close_question(
    p_node text, p_incarnation bigint, p_task_id uuid, p_attempt bigint, p_question_id uuid, p_state text, p_value text
) RETURNS SETOF @.question_record LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_state text;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    PERFORM @.check_attempt(v_task, v_node_id, p_incarnation, p_attempt);
    SELECT state INTO v_state FROM @.question WHERE question_id = p_question_id AND task_id = p_task_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF v_state NOT IN ('answered', 'expired', 'withdrawn') THEN
        v_seq := @.take_number(v_task.owner_id);
        PERFORM @.settle_question(v_task, p_question_id, p_state, p_value, @.micros());
        UPDATE @.task SET open_questions = @.count_questions(p_task_id) WHERE task_id = p_task_id;
        PERFORM @.write_task_event(p_task_id, v_seq);
    END IF;
    RETURN QUERY SELECT * FROM @.question_record WHERE question_id = p_question_id;
END $$;
