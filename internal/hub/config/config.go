// Package config reads watch.yaml, all that the hub is told: where its data is, where it
// listens, who may use it, what it watches and whom it tells. Whatever is not understood
// is an error with file and line.
package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// What is taken where nothing is said.
const (
	DefaultStore   = "board.db"
	DefaultStreams = "streams"
	DefaultListen  = "127.0.0.1:8790"
	DefaultConfirm = 2
	DefaultDigest  = time.Minute
	DefaultWorkers = "127.0.0.1:8791"
	DefaultFleet   = "fleet"
)

// Config is a watch.yaml. Names of files in it are relative to its directory; here they
// begin with that, so that they are relative to the working directory.
type Config struct {
	File, Dir string // of the watch.yaml itself

	Store   string // a file of SQLite, or postgres://…, without a password
	Streams string // directory
	Listen  string // IP:PORT
	URL     string // how users reach it, without a final slash; "" if not said
	TLS     *TLS
	// BehindProxy: a proxy in front of it has TLS, and is trusted.
	BehindProxy bool
	Public      bool // counts, and nothing else, without a login
	OIDC        *OIDC
	Lang        string // "en", "zh", or "" for what the reader's browser asks for
	// NetworksFile is "" if there is none. Networks are its lines.
	NetworksFile string
	Networks     Networks
	Geo          []string // files that say which AS and country addresses are in, see package geo
	Workers      *Workers // nil: the hub makes all runs itself
	Watches      []*Watch
	Alerts       []*Alert

	geoLine int
}

// Workers says how the hub and its workers reach each other.
type Workers struct {
	Listen string // IP:PORT, for a server of the hub's own; "" with NATS
	URL    string // tls://HOST:PORT, as workers reach it
	Dir    string // of the hub's keys and its queue
	Rate   int    // connections a second, of all workers and jobs together; 0: each job's own
	// NATS is the URL of a server that is not the hub's own, or "". Credentials is a file
	// for it, CA one with the certificates that it is known by, each "" for none.
	NATS, Credentials, CA string
}

// TLS names the files of a certificate, with its chain, and of its key, in PEM.
type TLS struct{ Cert, Key string }

// OIDC says who may log in by way of an OpenID provider.
type OIDC struct {
	Issuer, ClientID string
	ClientSecretFile string // "" for a public client
	Allow, Work      Who    // may view; may also write notes and the like
}

// Who names groups and users of a provider.
type Who struct{ Groups, Users []string }

// None reports whether nobody is named.
func (w Who) None() bool { return len(w.Groups)+len(w.Users) == 0 }

// Watch is something that is scanned again and again.
type Watch struct {
	Name    string // of a-z, 0-9 and -, at most 40
	Every   time.Duration
	Confirm int    // runs that must agree before a change counts, from 1
	Vantage string // where the hub stands, in the operator's word; "" if not said
	// Vantages are where workers stand that make the runs; none: the hub makes them.
	Vantages []string
	Units    uint64 // into which each of them divides the targets; 0: as fits the rate
	// Settings are those of its runs. Their seed follows from the name, so that all runs
	// of unchanged settings are runs of one and the same scan.
	Settings audit.Settings

	file  string
	line  int            // of the watch
	lines map[string]int // of its keys
}

// Naming says how its settings are called and where they are, for errors.
func (w *Watch) Naming() audit.Naming {
	return audit.Naming{Place: func(setting string) string { return w.at(setting) + ": " }}
}

// Runs are the names that the history has for the watch: its own, or one for each vantage
// whose workers make its runs.
func (w *Watch) Runs() (out []string) {
	for _, v := range w.Vantages {
		out = append(out, job.Watch(w.Name, v))
	}
	if out == nil {
		out = []string{w.Name}
	}
	return out
}

// Source is where its targets are named, as FILE:LINE.
func (w *Watch) Source() string { return w.at("targets") }

func (w *Watch) at(key string) string {
	line := w.line
	if n := w.lines[key]; n > 0 {
		line = n
	}
	return fmt.Sprintf("%s:%d", w.file, line)
}

// SilentWatch is what Alert.When has besides the kinds of changes: a watch has not
// completed a run in time.
const SilentWatch = "silent-watch"

// Alert says of what somebody is told, and how.
type Alert struct {
	Name     string         // as Watch.Name
	When     []string       // each a store.Kind, or SilentWatch
	Severity event.Severity // of findings, at least; "" for any
	Watches  []string       // their names; none for all
	Owners   []string       // of the networks; none for all
	// To has URLs, exec:COMMAND, or file:PATH of a file with one of these. Files in it
	// are relative to Config.Dir.
	To         []string
	SecretFile string        // has the key that signs what webhooks get; "" for none
	Digest     time.Duration // how long changes are gathered
	After      time.Duration // of SilentWatch; 0 for twice the watch's Every
}

// GeoError says where the files of Geo are named, of which something is wrong.
func (c *Config) GeoError(err error) error {
	return &strict.Error{File: c.File, Line: c.geoLine, Err: fmt.Errorf("geo: %w", err)}
}

// Load reads a watch.yaml and the list of networks that it names.
func Load(file string) (*Config, error) {
	data, err := bounded.File(file, bounded.MaxYAML)
	if err != nil {
		return nil, err
	}
	c, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	if c.NetworksFile == "" {
		return c, c.checkOwners(data)
	}
	list, err := bounded.File(c.NetworksFile, maxNetworks)
	if err != nil {
		return nil, at(file, data, fmt.Errorf("networks: %w", err), "networks")
	}
	if c.Networks, err = ParseNetworks(c.NetworksFile, list); err != nil {
		return nil, err
	}
	return c, c.checkOwners(data)
}

// checkOwners refuses owners of alerts that the list of networks does not have.
func (c *Config) checkOwners(data []byte) error {
	known := c.Networks.Owners()
	for i, a := range c.Alerts {
		for j, owner := range a.Owners {
			err := oneOf(owner, known, "no owner in "+c.NetworksFile)
			if c.NetworksFile == "" { // nobody would ever be told
				err = fmt.Errorf("%.60q is no owner: there is no networks, which names them", owner)
			}
			if err != nil {
				return at(c.File, data, err, "alerts", i, "owners", j)
			}
		}
	}
	return nil
}

// Words are the values of Alert.When.
func Words() []string {
	var out []string
	for _, k := range store.Kinds() {
		out = append(out, string(k))
	}
	return append(out, SilentWatch)
}

// inDir is the path of a file that the configuration names.
func (c *Config) inDir(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

var errNothing = errors.New("nothing is watched: list watches")
