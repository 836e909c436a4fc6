-- Refuses the start of a task, see start_task: its id exists, or its key is taken by the owner's task p_other, or the
-- owner has as many tasks as p_limit.
CREATE OR REPLACE FUNCTION @.refuse_start(p_task_id uuid, p_owner_id bigint, p_other bigint, p_limit bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_other @.task;
BEGIN
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM009'); END IF;
    IF p_other IS NOT NULL THEN
        SELECT * INTO v_other FROM @.task t WHERE t.owner_id = p_owner_id AND t.task_no = p_other;
        RAISE EXCEPTION 'refused by the ledger''s rules'
            USING ERRCODE = 'IM006', DETAIL = v_other.task_id::text, HINT = v_other.name;
    END IF;
    RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM005', DETAIL = p_limit::text;
END $$;
