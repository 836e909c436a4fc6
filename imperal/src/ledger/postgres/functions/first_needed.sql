-- Number of the turn of the owner's oldest call that has no reply or a running task. A task that no process holds
-- keeps nothing: it may wait for months.
CREATE OR REPLACE FUNCTION @.first_needed(p_owner_id bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT least(
        (SELECT min(turn_seq) FROM @.call WHERE owner_id = p_owner_id AND state = 'open'),
        (SELECT min(turn_seq) FROM @.call WHERE owner_id = p_owner_id AND state = 'left'),
        (SELECT min(c.turn_seq) FROM @.task t JOIN @.call c ON c.call_id = t.call_id
         WHERE t.owner_id = p_owner_id AND t.state = 'running' AND t.finished_at IS NULL)
    )
$$;
