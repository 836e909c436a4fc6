-- Lets the writers of an owner and an extension take turns. Returns the shelf.
CREATE OR REPLACE FUNCTION @.lock_shelf(p_owner_id bigint, p_app text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_shelf_no bigint;
BEGIN
    INSERT INTO @.shelf (owner_id, app_id)
    SELECT p_owner_id, p_app WHERE NOT EXISTS (SELECT 1 FROM @.shelf s WHERE s.owner_id = p_owner_id AND s.app_id = p_app)
    ON CONFLICT (owner_id, app_id) DO NOTHING;
    SELECT s.shelf_no INTO STRICT v_shelf_no FROM @.shelf s WHERE s.owner_id = p_owner_id AND s.app_id = p_app
    FOR NO KEY UPDATE;
    RETURN v_shelf_no;
END $$;
