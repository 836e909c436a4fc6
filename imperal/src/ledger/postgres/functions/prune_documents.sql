-- Removes documents whose time is over, at most p_limit, and returns how many. A shelf that another transaction holds is
-- skipped, so this never waits.
CREATE OR REPLACE FUNCTION @.prune_documents(p_limit bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_shelves bigint[];
    v_count bigint;
BEGIN
    -- Rows that come back because the server crashed are removed by a later pass.
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT array_agg(h.shelf_no) INTO v_shelves FROM (
        SELECT s.shelf_no FROM @.shelf s WHERE s.shelf_no IN (
            SELECT c.shelf_no FROM (
                SELECT d.collection_no FROM @.document d WHERE d.expires_at <= v_now ORDER BY d.expires_at LIMIT p_limit
            ) AS o JOIN @.collection c ON c.collection_no = o.collection_no
        ) FOR NO KEY UPDATE SKIP LOCKED
    ) AS h;
    IF v_shelves IS NULL THEN RETURN 0; END IF;
    WITH gone AS (
        DELETE FROM @.document d USING (
            SELECT i.document_no, c.shelf_no FROM @.document i JOIN @.collection c ON c.collection_no = i.collection_no
            WHERE i.expires_at <= v_now AND c.shelf_no = ANY (v_shelves) ORDER BY i.expires_at LIMIT p_limit
        ) AS o WHERE d.document_no = o.document_no RETURNING d.document_no, d.bytes, o.shelf_no
    ), keys AS (
        DELETE FROM @.document_key k USING gone WHERE k.document_no = gone.document_no
    ), less AS (
        -- Totals that are less than what is removed are damaged. The next write counts those of -1 documents.
        UPDATE @.shelf s SET
            documents = CASE WHEN s.documents BETWEEN o.documents AND 1::bigint << 50
                AND s.bytes BETWEEN o.bytes AND 1::bigint << 50 THEN s.documents - o.documents ELSE -1 END,
            bytes = CASE WHEN s.bytes >= o.bytes THEN s.bytes - o.bytes ELSE s.bytes END
        FROM (SELECT g.shelf_no, count(*) AS documents, sum(greatest(least(g.bytes, 1::bigint << 40), 0))::bigint AS bytes FROM gone g GROUP BY g.shelf_no) AS o
        WHERE s.shelf_no = o.shelf_no
    )
    SELECT count(*) INTO v_count FROM gone;
    RETURN v_count;
END $$;
