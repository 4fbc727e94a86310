-- Alerts that are to be sent. An import neither adds to these tables nor reads them.
-- A row is a change that a run of the hub itself found. It holds all that an alert says,
-- for the index may be made again before the alert is sent.
CREATE TABLE IF NOT EXISTS outbox (
  run BIGINT NOT NULL, gateway BIGINT NOT NULL, watch TEXT NOT NULL, at BIGINT NOT NULL,
  looks INTEGER NOT NULL, state TEXT NOT NULL, change TEXT NOT NULL,
  PRIMARY KEY (run, gateway)
);
CREATE INDEX IF NOT EXISTS outbox_state ON outbox (state, at);

-- The rules that have a row in a digest.
CREATE TABLE IF NOT EXISTS alerted (
  run BIGINT NOT NULL, gateway BIGINT NOT NULL, rule TEXT NOT NULL,
  PRIMARY KEY (run, gateway, rule)
);

-- Since when a rule has something to say, and something urgent, 0 for nothing.
CREATE TABLE IF NOT EXISTS digest (
  rule TEXT PRIMARY KEY, since BIGINT NOT NULL, urgent BIGINT NOT NULL
);

-- One row for each digest and each place that it goes to.
CREATE TABLE IF NOT EXISTS delivery (
  id TEXT PRIMARY KEY, rule TEXT NOT NULL, sink TEXT NOT NULL, body TEXT NOT NULL, begun BIGINT NOT NULL,
  state TEXT NOT NULL, tries INTEGER NOT NULL, tried BIGINT NOT NULL, retry BIGINT NOT NULL, error TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS delivery_state ON delivery (state, begun);

-- When the hub first knew a watch, and the watches that a rule has called silent.
CREATE TABLE IF NOT EXISTS watched (
  watch TEXT PRIMARY KEY, first BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS silence (
  rule TEXT NOT NULL, watch TEXT NOT NULL, since BIGINT NOT NULL,
  PRIMARY KEY (rule, watch)
);
