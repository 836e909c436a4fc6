-- Makes an owner's head and floor fit its rows; true if they did not. Up to 10,000 numbers may be missing
-- at the end; a head further from the rows than that was damaged.
CREATE OR REPLACE FUNCTION @.repair_numbers(p_owner_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_owner @.owner;
    v_first bigint;
    v_count bigint;
    v_last bigint;
    v_head bigint;
    v_floor bigint;
BEGIN
    SELECT * INTO v_owner FROM @.owner w WHERE w.owner_id = p_owner_id FOR NO KEY UPDATE;
    -- Sound: each number belongs to a row or was pruned.
    IF NOT FOUND OR (v_owner.pruned >= 0 AND v_owner.head = greatest(
        v_owner.pruned,
        (SELECT max(seq) FROM @.turn WHERE owner_id = p_owner_id),
        (SELECT max(seq) FROM @.task_event WHERE owner_id = p_owner_id)))
    THEN
        RETURN false;
    END IF;
    SELECT min(seq), count(*) INTO v_first, v_count FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id AND seq > 0
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id AND seq > 0
    ) AS rows;
    v_floor := v_owner.pruned;
    IF v_floor NOT BETWEEN 0 AND greatest(least(v_owner.head, 9007199254740992), v_count) + 10000 THEN
        v_floor := coalesce(v_first - 1, 0);
    END IF;
    SELECT count(*) INTO v_count FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id AND seq > v_floor
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id AND seq > v_floor
    ) AS rows;
    SELECT max(seq) INTO v_last FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id
    ) AS rows WHERE seq <= v_floor + v_count + 10000;
    v_head := greatest(v_last, v_floor);
    IF v_owner.head BETWEEN v_head AND v_floor + v_count + 10000 THEN v_head := v_owner.head; END IF;
    UPDATE @.owner w SET head = v_head, pruned = v_floor
    WHERE w.owner_id = p_owner_id AND (w.head <> v_head OR w.pruned <> v_floor);
    RETURN FOUND;
END $$;
