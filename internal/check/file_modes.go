package check

import "github.com/clawsonar/clawsonar/internal/event"

func fileModes() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "file-modes",
		Title:    "Others on the machine can read or change the gateway's files",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `The group or everyone may read or write the state directory or one of its files:
openclaw.json, what it includes and its backups, .env, credentials,
authentication profiles, sessions, databases, secrets.json, the approvals of
commands, logs, the key of TLS; or a file outside of it that holds a secret.
High where others can change the configuration or read secrets. Judged by the
mode bits of a state directory, on the machine or in an archive; in a source
checkout they mean nothing and are not judged.`,
		Why: `Any program and user of the machine can take the gateway's token and the agent's
keys, or change the configuration and with it what the agent may do.`,
		Fix: `Give directories mode 0700 and files 0600 (chmod -R go-rwx ~/.openclaw), and
replace the secrets that others could read.`,
		Steps: `1. Take the rights of others away:
     chmod -R go-rwx ~/.openclaw
   A file elsewhere, such as an env_file: "chmod 600 FILE".
2. Keep it so: UMask=0077 in the systemd unit, "umask 077" in scripts. In a
   container run the gateway as the user that owns the mounted directory,
   instead of opening it to all.
3. If people share the machine, replace the token ("openssl rand -hex 32") and
   the keys that were readable.
4. Inspect again.`,
		Controls:   []string{"nvdb:N3", "cncert:C3", "cncert:C4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/secrets-and-storage", "https://cwe.mitre.org/data/definitions/732.html"},
	}}
}
