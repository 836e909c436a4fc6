-- The server's clock in microseconds since 1970, UTC. It moves within a transaction.
CREATE OR REPLACE FUNCTION @.micros() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;
