-- Who may look and work, and who did. No secret is kept: only SHA-256 of random ones.
CREATE TABLE IF NOT EXISTS token (
  id BIGINT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
  made BIGINT NOT NULL, used BIGINT NOT NULL, revoked BIGINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS token_name ON token (name) WHERE revoked = 0;

-- token is 0 of a session that an identity provider answers for.
CREATE TABLE IF NOT EXISTS session (
  hash TEXT PRIMARY KEY, token BIGINT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
  made BIGINT NOT NULL, used BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS audit (
  id BIGINT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, via TEXT NOT NULL,
  addr TEXT NOT NULL, what TEXT NOT NULL, object TEXT NOT NULL
);
