-- Copies to a new task what it inherits from the ended one that it follows: rows up to p_through and those of effects, as
-- attempt 0, without the messages of other steps. Nothing if p_through is null. Returns how many effects are open. IM014: the detail is `open` if the task has
-- not ended, `row` if it has no row p_through, `gone` if a value is no longer kept. The caller holds the task's row.
CREATE OR REPLACE FUNCTION @.inherit(p_followed @.task, p_task_no bigint, p_through bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_why text;
    v_open bigint;
BEGIN
    IF p_followed.finished_at IS NULL THEN
        v_why := 'open';
    ELSIF p_through > 0
        AND NOT EXISTS (SELECT FROM @.step s WHERE s.task_no = p_followed.task_no AND s.ordinal = p_through)
    THEN
        v_why := 'row';
    END IF;
    IF v_why IS NULL AND p_through IS NOT NULL THEN
        INSERT INTO @.step (task_no, ordinal, attempt, kind, name, began_at, done_at, codec, value, log)
        SELECT p_task_no, s.ordinal, 0, s.kind, s.name, s.began_at, s.done_at, s.codec, s.value, s.log FROM @.step s
        WHERE s.task_no = p_followed.task_no AND (s.kind IN ('intent', 'effect', 'not_done') OR (s.ordinal <= p_through
            AND (s.kind <> 'question' OR s.value IS NULL
                -- An answer is the author's question's. One about an effect belongs to the ended task.
                OR (starts_with(s.value, '{"answered":') AND NOT starts_with(s.name, 'imperal:')))
            -- A message in a step goes with the step. Its key has the length of the step's name in bytes.
            AND CASE WHEN s.kind = 'message' AND s.name ~ '^(step|named):[0-9]{1,6}:' THEN
                substring(convert_to(s.name, 'UTF8') FROM length(substring(s.name FROM '^[a-z]+:[0-9]+:')) + 1
                    FOR split_part(s.name, ':', 2)::integer)
                IN (SELECT convert_to(k.name, 'UTF8') FROM @.step k WHERE k.task_no = p_followed.task_no
                    AND (k.kind = 'effect' OR (k.kind = 'step' AND k.ordinal <= p_through)))
            ELSE true END));
        IF EXISTS (SELECT FROM @.step s WHERE s.task_no = p_task_no AND s.value IS NULL) THEN v_why := 'gone'; END IF;
    END IF;
    IF v_why IS NOT NULL THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM014', DETAIL = v_why;
    END IF;
    v_open := @.count_effects(p_task_no);
    IF v_open > 0 THEN UPDATE @.task t SET open_effects = v_open WHERE t.task_no = p_task_no; END IF;
    RETURN v_open;
END $$;
