-- The hash that finds an owner. The length prefix keeps ('ab', 'c') and ('a', 'bc') apart.
CREATE OR REPLACE FUNCTION @.owner_key(p_tenant text, p_user text) RETURNS bytea LANGUAGE sql STABLE
AS $$ SELECT sha256(convert_to(octet_length(p_tenant) || ':' || p_tenant || p_user, 'UTF8')) $$;
