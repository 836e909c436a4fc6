-- Changes the totals of an owner's files of an extension by a file of p_before bytes that becomes one of p_after bytes,
-- and refuses what takes them over a limit. p_before: -1 for a new file. The caller holds the shelf, and the file's row is
-- still as it was. A damaged size does not overflow the sum. IM020 and IM021: the error's detail is the limit.
CREATE OR REPLACE FUNCTION @.count_file(
    p_owner_id bigint, p_app text, p_before bigint, p_after bigint, p_max_files bigint, p_max_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_shelf @.shelf;
    v_before bigint := greatest(least(p_before, 1::bigint << 46), 0);
    v_after bigint := greatest(least(p_after, 1::bigint << 46), 0);
    v_new bigint := CASE WHEN p_before < 0 THEN 1 ELSE 0 END;
BEGIN
    SELECT * INTO STRICT v_shelf FROM @.shelf s WHERE s.owner_id = p_owner_id AND s.app_id = p_app;
    IF v_shelf.files NOT BETWEEN 1 - v_new AND (1::bigint << 50)
        OR v_shelf.file_bytes NOT BETWEEN v_before AND (1::bigint << 50) THEN
        -- Damaged, or less than what changes.
        SELECT count(*), greatest(coalesce(sum(greatest(least(f.size, 1::bigint << 46), 0)), 0)::bigint, v_before)
        INTO v_shelf.files, v_shelf.file_bytes
        FROM @.file f WHERE f.owner_id = p_owner_id AND f.app_id = p_app AND f.state <> 'deleting';
    END IF;
    IF v_new > 0 AND v_shelf.files >= p_max_files THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM020', DETAIL = p_max_files::text;
    END IF;
    IF v_after > v_before AND v_shelf.file_bytes - v_before + v_after > p_max_bytes THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM021', DETAIL = p_max_bytes::text;
    END IF;
    UPDATE @.shelf s SET files = v_shelf.files + v_new, file_bytes = v_shelf.file_bytes - v_before + v_after
    WHERE s.shelf_no = v_shelf.shelf_no;
END $$;
