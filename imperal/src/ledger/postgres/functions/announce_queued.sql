-- Writes the events of tasks that the end of an incarnation has queued p_for ago or earlier and that no process has
-- taken; 32 at most, and returns how many. Tasks and owners that another transaction holds are left for the next call.
CREATE OR REPLACE FUNCTION @.announce_queued(p_node text, p_incarnation bigint, p_for bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_before bigint := @.micros() - p_for;
    v_next record;
    v_seq bigint;
    v_told bigint := 0;
BEGIN
    FOR v_next IN
        SELECT task_id, owner_id, state FROM @.task WHERE untold_since <= v_before
        ORDER BY untold_since LIMIT 32 FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM 1 FROM @.owner WHERE owner_id = v_next.owner_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE @.task SET untold_since = NULL WHERE task_id = v_next.task_id;
        CONTINUE WHEN v_next.state <> 'queued';
        v_seq := @.take_number(v_next.owner_id);
        PERFORM @.write_task_event(v_next.task_id, v_seq);
        v_told := v_told + 1;
    END LOOP;
    RETURN v_told;
END $$;
