-- Stores that users were seen now. In the order of their ids, so that nodes do not wait for each other in a circle.
CREATE OR REPLACE FUNCTION @.note_seen(p_tenants text[], p_users text[], p_apps text[], p_json text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO @.seen (owner_id, app_id, seen_at, seen_user)
    SELECT DISTINCT ON (o.owner_id, o.app_id) o.owner_id, o.app_id, @.micros(), o.json
    FROM (
        SELECT @.find_or_add_owner(n.tenant, n.name) AS owner_id, n.app_id, n.json, n.nth
        FROM unnest(p_tenants, p_users, p_apps, p_json) WITH ORDINALITY AS n (tenant, name, app_id, json, nth)
    ) o
    ORDER BY o.owner_id, o.app_id, o.nth DESC
    ON CONFLICT (owner_id, app_id) DO UPDATE SET seen_at = excluded.seen_at, seen_user = excluded.seen_user;
END $$;
