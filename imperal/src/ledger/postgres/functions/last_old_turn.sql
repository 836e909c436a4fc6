-- Number of the last turn between p_after and p_before that precedes the first one younger than p_cut.
CREATE OR REPLACE FUNCTION @.last_old_turn(
    p_owner_id bigint, p_after bigint, p_before bigint, p_cut bigint, p_limit bigint
) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT max(seq) FROM (
        SELECT seq, bool_and(at < p_cut) OVER (ORDER BY seq) AS old FROM (
            SELECT seq, at FROM @.turn
            WHERE owner_id = p_owner_id AND seq > p_after AND (p_before IS NULL OR seq < p_before)
            ORDER BY seq LIMIT p_limit
        ) AS behind
    ) AS judged WHERE old
$$;
