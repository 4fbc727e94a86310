package inspect

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// stateReader reads configurations, wherever they are, and what lies in the state directories
// around them.
func stateReader() reader {
	return reader{
		kind: deploy.KindConfig,
		match: func(name string, _ []byte) bool {
			return configName(name) || backupName(name) || stateOf(name) != "" && stateFile(name) != "" || sampleEnv(name)
		},
		read: readState,
	}
}

func readState(s *source) error {
	dir := s.stateDirOf(s.name)
	if dir != "" {
		s.stateDir(dir)
	}
	switch {
	case configName(s.name):
		s.m.Configs = append(s.m.Configs, &deploy.Config{File: s.name, Data: s.data, State: dir, Pos: s.pos(1, 1)})
	case backupName(s.name):
		s.backupSecrets()
	case sampleEnv(s.name):
		vars := dotenv(s.name, s.data, nil)
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			v := vars[name]
			if what := secretVariable(name); strings.HasPrefix(what, "gateway ") && v.State == deploy.Set && plainSecret(v.Text) {
				s.addSecret(deploy.Secret{What: what, Kind: deploy.KindConfig, Value: v, Example: true})
			}
		}
	}
	return nil
}

// sampleEnv reports whether a file is an example of variables for others to copy.
func sampleEnv(name string) bool {
	return strings.Contains(path.Base(name), "env") && isExampleFile(path.Base(name)) && !hasExt(name, ".go", ".ts", ".js", ".md", ".json", ".yaml", ".yml")
}

// backupName reports whether a file is a backup of a configuration: openclaw.json.bak, .bak.1 to
// .bak.4, openclaw.json~, and what editors and people make.
func backupName(name string) bool {
	file := path.Base(name)
	for _, config := range []string{"openclaw.json", "clawdbot.json", "moltbot.json", "moldbot.json"} {
		rest, ok := strings.CutPrefix(file, config)
		if !ok {
			continue
		}
		for _, mark := range []string{".bak", "~", ".old", ".orig", ".backup", ".save", ".swp", ".rejected", ".clobbered", ".broken"} {
			if strings.HasPrefix(rest, mark) {
				return true
			}
		}
	}
	return false
}

// stateOf is the state directory that a file lies in, by the directory's name; "" if none has such
// a name.
func stateOf(name string) string {
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if stateName(path.Base(dir)) {
			return dir
		}
	}
	return ""
}

// stateDirOf is stateOf, or the directory of a configuration that has the contents of a state
// directory beside it, whatever its name is.
func (s *source) stateDirOf(name string) string {
	if s.stateDirAt != "" && strings.HasPrefix(name, s.stateDirAt+"/") {
		return s.stateDirAt
	}
	if dir := stateOf(name); dir != "" {
		return dir
	}
	dir := path.Dir(name)
	if s.tree == nil || !configName(name) {
		return ""
	}
	for _, content := range []string{"credentials", "agents", "state", "exec-approvals.json", "secrets.json", "identity"} {
		inside := path.Join(dir, content)
		if info, ok := s.tree.Stat(inside); ok && (content != "state" || info.Mode.IsDir()) {
			return dir
		}
	}
	for _, f := range s.tree.Files() {
		rest, ok := strings.CutPrefix(f.Name, strings.TrimPrefix(dir+"/", "./"))
		if ok && (strings.HasPrefix(rest, "credentials/") || strings.HasPrefix(rest, "agents/") && strings.Contains(rest, "/agent/") || strings.HasPrefix(rest, "state/openclaw.sqlite")) {
			return dir
		}
	}
	return ""
}

// stateFile says what a file of a state directory is, by its path in it or its name; "" if its modes are of no matter.
func stateFile(name string) deploy.FileWhat {
	dir := stateOf(name)
	if dir == "" {
		return ""
	}
	return stateContent(strings.TrimPrefix(name, dir+"/"))
}

func stateContent(rest string) deploy.FileWhat {
	file := path.Base(rest)
	switch {
	case !strings.Contains(rest, "/") && configName(rest):
		return deploy.ConfigFile
	case !strings.Contains(rest, "/") && backupName(rest):
		return deploy.BackupFile
	case rest == ".env":
		return deploy.EnvFile
	case rest == "credentials" || strings.HasPrefix(rest, "credentials/"):
		return deploy.Credentials
	case file == "auth-profiles.json", strings.HasPrefix(rest, "agents/") && (file == "auth.json" || strings.HasPrefix(file, "openclaw-agent.sqlite")):
		return deploy.AuthProfiles
	case strings.HasPrefix(rest, "agents/") && strings.Contains(rest+"/", "/sessions/"):
		return deploy.Sessions
	case strings.HasPrefix(rest, "state/") && strings.Contains(file, ".sqlite"):
		return deploy.Database
	case rest == "secrets.json":
		return deploy.SecretsFile
	case rest == "exec-approvals.json":
		return deploy.Approvals
	case strings.HasPrefix(rest, "logs/") || strings.HasSuffix(file, ".log"):
		return deploy.LogFile
	case hasExt(file, ".key", "-key.pem", "_key.pem", "privkey.pem", "key.pem"):
		return deploy.TLSKey
	}
	return ""
}

// maxModes is the most files of one state directory whose modes are looked at: sessions may be many.
const maxModes = 10_000

// stateDir adds a state directory once: the modes of what is in it where modes mean something, and
// whether it is one of an earlier name beside a present one.
func (s *source) stateDir(dir string) {
	for _, f := range s.m.Files {
		if f.Path == dir {
			return
		}
	}
	what := deploy.StateDir
	if older := path.Base(dir); older == ".clawdbot" || older == ".moltbot" || older == ".moldbot" {
		if s.hasUnder(path.Join(path.Dir(dir), ".openclaw")) {
			what = deploy.LeftOver
		}
	}
	if s.tree == nil || !s.tree.Modes() {
		if what == deploy.LeftOver {
			s.m.Files = append(s.m.Files, deploy.File{Path: dir, Dir: true, UID: -1, What: what})
		}
		return
	}
	s.addFile(dir, what)
	count := 0
	prefix := strings.TrimPrefix(dir+"/", "./")
	for _, f := range s.tree.Files() {
		rest, ok := strings.CutPrefix(f.Name, prefix)
		if !ok || rest == "" {
			continue
		}
		if what := stateContent(rest); what != "" && count < maxModes {
			count++
			s.m.Files = append(s.m.Files, deploy.File{
				Path: f.Name, Mode: uint32(f.Mode.Perm()), Dir: f.Mode.IsDir(), Link: f.Link != "", UID: f.UID, What: what,
			})
		}
	}
}

// hasUnder reports whether there is anything in a directory.
func (s *source) hasUnder(dir string) bool {
	if s.tree == nil {
		return false
	}
	for _, f := range s.tree.Files() {
		if f.Name == dir || strings.HasPrefix(f.Name, dir+"/") {
			return true
		}
	}
	return false
}

// backupSecrets adds what secrets a backup of a configuration holds. One that cannot be read holds none
// that anyone could use.
func (s *source) backupSecrets() {
	root, err := json5.Parse(s.name, s.data)
	if err != nil {
		return
	}
	for _, secret := range configSecrets(root) {
		s.addSecret(secret)
	}
	s.keySecrets(root, 0)
}

// keySecrets finds secrets by their keys.
func (s *source) keySecrets(n *json5.Node, depth int) {
	if n == nil || depth > maxDepth {
		return
	}
	for _, m := range n.Members {
		if keyIsSecret(m.Key) {
			known := slices.ContainsFunc(s.m.Secrets, func(have deploy.Secret) bool { return have.Value.Pos == m.Value.Pos })
			if v := m.Value; !known && len(s.m.Secrets) < maxEntries && v.Kind == json5.String && plainSecret(v.Text) {
				s.addSecret(deploy.Secret{What: m.Key, Kind: deploy.KindConfig, Value: deploy.Value{State: deploy.Set, Text: v.Text, Pos: v.Pos}})
			}
		}
		s.keySecrets(m.Value, depth+1)
	}
	for _, item := range n.Items {
		s.keySecrets(item, depth+1)
	}
}

// keyIsSecret reports whether the value of a key of the configuration is a secret, by its name.
func keyIsSecret(key string) bool {
	switch key {
	case "token", "password", "apiKey", "botToken", "appToken", "signingSecret", "clientSecret", "secret", "accessToken", "webhookSecret", "pushToken":
		return true
	}
	return secretVariable(key) != ""
}
