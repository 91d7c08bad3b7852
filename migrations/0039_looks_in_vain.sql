-- A look for another operator that found none is an event of route; why it found none stands beside it.
ALTER TABLE message_events
  ADD COLUMN decision_id uuid; -- of route: the ranking without a choice; null: nothing was ranked
COMMENT ON COLUMN message_events.decision_id IS
  'Of a message that an operator had before. That of one that nobody ever had is in its own row, as is that of its operator.';
