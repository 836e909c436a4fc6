-- open: its incarnation is current; left: its incarnation ended before the reply; replied.
CREATE TABLE @.call (
    call_no bigint GENERATED ALWAYS AS IDENTITY,
    call_id uuid PRIMARY KEY,
    owner_id bigint NOT NULL,
    node_id bigint NOT NULL,
    incarnation bigint NOT NULL,
    turn_seq bigint NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'left', 'replied')),
    -- The number of the reply turn.
    reply_seq bigint,
    cancel_requested_at bigint,
    -- The work of a job, which has no turns: its turn_seq is only the owner's head when it began.
    silent boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);

CREATE INDEX call_of ON @.call (owner_id, turn_seq);
CREATE INDEX call_held ON @.call (node_id, incarnation) WHERE state = 'open';
-- Calls that a renewal reads: few at any time.
CREATE INDEX call_cancelled ON @.call (node_id, incarnation) WHERE state = 'open' AND cancel_requested_at IS NOT NULL;
-- Those that an incarnation left, and damaged ones: few at any time. One index, because each costs every write of a call.
CREATE INDEX call_lost ON @.call (call_no) WHERE state NOT IN ('open', 'replied');
