-- `promise`: the promised day is over; whoever still waits is told.
ALTER TABLE services.case_timer DROP CONSTRAINT case_timer_kind_check;
ALTER TABLE services.case_timer ADD CONSTRAINT case_timer_kind_check CHECK (kind IN ('flow', 'pledge', 'promise'));
