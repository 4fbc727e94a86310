-- The index of the streams: import makes it again. Times are milliseconds since 1970,
-- 0 for none. Addresses are 16 bytes, so that they sort. A severity is its rank.
CREATE TABLE IF NOT EXISTS run (
  id BIGINT PRIMARY KEY, watch TEXT NOT NULL, vantage TEXT NOT NULL,
  started BIGINT NOT NULL, finished BIGINT NOT NULL,
  complete INTEGER NOT NULL, again INTEGER NOT NULL, level TEXT NOT NULL,
  file TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL,
  targets BIGINT NOT NULL, gateways INTEGER NOT NULL, unjudged BIGINT NOT NULL, auth TEXT NOT NULL,
  miss TEXT NOT NULL, data TEXT NOT NULL, changes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS run_finished ON run (finished);
CREATE INDEX IF NOT EXISTS run_watch ON run (watch, finished);
CREATE UNIQUE INDEX IF NOT EXISTS run_sha256 ON run (sha256);

-- One row a gateway: the worst of what its watches see.
CREATE TABLE IF NOT EXISTS gateway (
  id BIGINT PRIMARY KEY, place TEXT NOT NULL, addr BYTEA NOT NULL, port INTEGER NOT NULL,
  name TEXT NOT NULL, url TEXT NOT NULL, product TEXT NOT NULL,
  network TEXT NOT NULL, owner TEXT NOT NULL, contact TEXT NOT NULL,
  verdict TEXT NOT NULL, rank INTEGER NOT NULL, since BIGINT NOT NULL, proven TEXT NOT NULL,
  severity INTEGER NOT NULL, release TEXT NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL,
  findings INTEGER NOT NULL, advisories INTEGER NOT NULL, first BIGINT NOT NULL, differs INTEGER NOT NULL,
  asn BIGINT NOT NULL, as_name TEXT NOT NULL, country TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS gateway_rank ON gateway (rank, severity DESC, addr, port, id);
CREATE INDEX IF NOT EXISTS gateway_place ON gateway (place);
CREATE INDEX IF NOT EXISTS gateway_addr ON gateway (addr);
CREATE INDEX IF NOT EXISTS gateway_counts ON gateway (verdict, severity, release, proven);
CREATE INDEX IF NOT EXISTS gateway_networks ON gateway (network, owner, rank);
CREATE INDEX IF NOT EXISTS gateway_systems ON gateway (asn, as_name, rank);
CREATE INDEX IF NOT EXISTS gateway_countries ON gateway (country, rank);

-- What one watch sees of a gateway.
CREATE TABLE IF NOT EXISTS sight (
  gateway BIGINT NOT NULL, watch TEXT NOT NULL, vantage TEXT NOT NULL,
  run BIGINT NOT NULL, level TEXT NOT NULL, config TEXT NOT NULL,
  place TEXT NOT NULL, addr BYTEA NOT NULL, addresses INTEGER NOT NULL, port INTEGER NOT NULL,
  name TEXT NOT NULL, url TEXT NOT NULL, product TEXT NOT NULL,
  verdict TEXT NOT NULL, since BIGINT NOT NULL, proven TEXT NOT NULL, missed INTEGER NOT NULL,
  release TEXT NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL, released BIGINT NOT NULL,
  advisories INTEGER NOT NULL, advisory_set TEXT NOT NULL,
  first BIGINT NOT NULL, last BIGINT NOT NULL, looked BIGINT NOT NULL, swept INTEGER NOT NULL,
  asn BIGINT NOT NULL, as_name TEXT NOT NULL, country TEXT NOT NULL,
  PRIMARY KEY (gateway, watch)
);

-- The last complete run of each watch: what it says of places without a line. Ids, of 8
-- bytes each, are in order.
CREATE TABLE IF NOT EXISTS whole (
  watch TEXT PRIMARY KEY, run BIGINT NOT NULL, vantage TEXT NOT NULL, config TEXT NOT NULL,
  excluded BIGINT NOT NULL, doubts BYTEA NOT NULL, clear BYTEA NOT NULL
);

-- The line of the stream of the last time that a gateway answered, compressed.
CREATE TABLE IF NOT EXISTS line (
  gateway BIGINT NOT NULL, watch TEXT NOT NULL, line BYTEA NOT NULL,
  PRIMARY KEY (gateway, watch)
);

-- One row from a change to the next.
CREATE TABLE IF NOT EXISTS episode (
  gateway BIGINT NOT NULL, watch TEXT NOT NULL, what TEXT NOT NULL, key TEXT NOT NULL, opened BIGINT NOT NULL,
  value TEXT NOT NULL, severity INTEGER NOT NULL, run BIGINT NOT NULL,
  closed BIGINT NOT NULL, closed_run BIGINT NOT NULL, why TEXT NOT NULL,
  PRIMARY KEY (gateway, watch, what, key, opened)
);
CREATE INDEX IF NOT EXISTS episode_value ON episode (what, value, closed, gateway);
CREATE INDEX IF NOT EXISTS episode_standing ON episode (what, watch, severity) WHERE closed = 0;

-- One row for each gateway of which a run found something changed.
CREATE TABLE IF NOT EXISTS change (
  run BIGINT NOT NULL, gateway BIGINT NOT NULL, at BIGINT NOT NULL, watch TEXT NOT NULL, vantage TEXT NOT NULL,
  kinds BIGINT NOT NULL, old_verdict TEXT NOT NULL, verdict TEXT NOT NULL, old_since BIGINT NOT NULL,
  old_release TEXT NOT NULL, release TEXT NOT NULL,
  severity INTEGER NOT NULL, opened INTEGER NOT NULL, closed INTEGER NOT NULL, advisories INTEGER NOT NULL,
  PRIMARY KEY (run, gateway)
);
CREATE INDEX IF NOT EXISTS change_at ON change (at, gateway);
CREATE INDEX IF NOT EXISTS change_gateway ON change (gateway, at);

-- How the number of gateways with a verdict changed, by day (UTC).
CREATE TABLE IF NOT EXISTS daily (
  day BIGINT NOT NULL, verdict TEXT NOT NULL, n BIGINT NOT NULL,
  PRIMARY KEY (day, verdict)
);
