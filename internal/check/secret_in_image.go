package check

import "github.com/clawsonar/clawsonar/internal/event"

func secretInImage() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "secret-in-image",
		Title:    "A secret becomes part of a container image",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `A Dockerfile sets a secret with ENV or as the default of an ARG, writes it into
a command, or copies a file that holds one in clear (openclaw.json, .env, a
state directory) into the image. A reference to a variable is not counted. The
secret itself is not shown.`,
		Why: `Anyone who can pull the image, or read a registry or the cache of a build
server, can read it: layers keep a file that a later one removes, and "docker
history" shows variables and commands.`,
		Fix: `Take the secret out of the Dockerfile, give it to the container when it starts
(env_file, a secret of the platform, a mounted file), and replace it: it is in
every image built so far.`,
		Steps: `1. Remove the ENV, ARG or COPY that is named, and list .env, openclaw.json and
   .openclaw in .dockerignore.
2. Give the secret when the container starts: OPENCLAW_GATEWAY_TOKEN from an
   env_file with mode 0600 or a secret of the platform, or a mounted state
   directory. If the build itself needs one, use "RUN --mount=type=secret".
3. Replace the secret: for the gateway's token
     openclaw config set gateway.auth.token "$(openssl rand -hex 32)"
4. Delete the images that hold the old one, in registries as well.
5. Inspect again.`,
		Controls:   []string{"cncert:C4", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/secrets-and-storage", "https://docs.openclaw.ai/install/docker", "https://cwe.mitre.org/data/definitions/522.html"},
	}}
}
