-- Makes tasks stuck that have been ready for p_for although no current incarnation has a program that knows their name
-- and has not refused them, with an event each; 32 at most, and returns how many. Tasks and owners that another
-- transaction holds are left for the next call.
CREATE OR REPLACE FUNCTION @.mark_stuck(p_node text, p_incarnation bigint, p_for bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_before bigint := @.micros() - p_for;
    -- The group of tasks with one name and one last refusal that is looked at.
    v_app text := '';
    v_name text := '';
    v_refused text := '';
    v_group record;
    v_task_id uuid;
    v_marked bigint := 0;
BEGIN
    LOOP
        -- The next group in the index: the tasks of the one before are not read.
        SELECT t.app_id, t.task_name, t.refused_program INTO v_group FROM @.task t
        WHERE t.ready_at IS NOT NULL AND t.state <> 'stuck'
            AND (t.app_id, t.task_name, t.refused_program) > (v_app, v_name, v_refused)
        ORDER BY t.app_id, t.task_name, t.refused_program LIMIT 1;
        EXIT WHEN NOT FOUND OR v_marked >= 32;
        v_app := v_group.app_id;
        v_name := v_group.task_name;
        v_refused := v_group.refused_program;
        CONTINUE WHEN EXISTS (
            SELECT 1 FROM @.node_task k JOIN @.node n ON n.node_id = k.node_id
            WHERE k.app_id = v_app AND k.task_name = v_name AND k.program <> v_refused AND n.lease_until IS NOT NULL);
        FOR v_task_id IN
            SELECT task_id FROM @.task
            WHERE app_id = v_app AND task_name = v_name AND refused_program = v_refused AND ready_at <= v_before
                AND state IN ('queued', 'waiting') AND state <> 'stuck'
            ORDER BY ready_at LIMIT 32 - v_marked
        LOOP
            IF @.mark_one_stuck(v_task_id, v_before) THEN v_marked := v_marked + 1; END IF;
        END LOOP;
    END LOOP;
    RETURN v_marked;
END $$;
