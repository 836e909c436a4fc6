-- Stores the answer to an open question before the end of its time: in the question and its step, with the task's event
-- and the audit row. A task that waits is ready from now on. Returns whether it was stored, the question and the task.
-- Running twice stores it once; the second time it is not accepted.
CREATE OR REPLACE FUNCTION @.answer_question(p_question_id uuid, p_value text, p_by text, p_audit text[])
RETURNS TABLE (accepted boolean, question @.question_record, task @.task_record) LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_open @.question;
    v_seq bigint;
    v_now bigint;
BEGIN
    -- A park holds the task's row as well: it came before and is seen here, or it will see the answer.
    SELECT * INTO v_task FROM @.task t
    WHERE t.task_id = (SELECT q.task_id FROM @.question q WHERE q.question_id = p_question_id) FOR NO KEY UPDATE;
    -- The question as it is now.
    SELECT * INTO v_open FROM @.question q WHERE q.question_id = p_question_id AND q.task_id = v_task.task_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    v_now := @.micros();
    accepted := v_open.state = 'open' AND v_open.until > v_now;
    IF accepted THEN
        PERFORM @.lock_owners(v_task.owner_id, p_audit, p_audit);
        v_seq := @.take_number(v_task.owner_id);
        PERFORM @.settle_question(v_task, p_question_id, 'answered', p_value, v_now, p_by);
        UPDATE @.task t
        SET open_questions = @.count_questions(t.task_id),
            state = CASE t.state WHEN 'waiting' THEN 'queued' ELSE t.state END,
            waits_for = CASE t.state WHEN 'waiting' THEN 'process' ELSE t.waits_for END,
            ready_at = CASE t.state WHEN 'waiting' THEN v_now ELSE t.ready_at END
        WHERE t.task_id = v_task.task_id;
        PERFORM @.write_task_event(v_task.task_id, v_seq);
        PERFORM @.write_audit(p_audit);
    END IF;
    RETURN QUERY SELECT answer_question.accepted, q, r FROM @.question_record q, @.task_record r
    WHERE q.question_id = p_question_id AND r.task_id = v_task.task_id;
END $$;
