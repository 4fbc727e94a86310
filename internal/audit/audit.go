// Package audit makes the configuration of a scan out of plain settings: what is to be
// scanned, and how. The command line and the hub set them, and so scan by the same
// rules.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// recheck is how many silent members of ranges are tried again at the end.
const recheck = 500

// Settings say what is to be scanned, and how. Each has the name of a flag of scan.
// Zero is not the default of all; see Defaults.
type Settings struct {
	Targets, Lists             []string
	Ports, BasePath, Addresses string

	Concurrency, Rate, HostRate, Retries int
	Timeout, Wait                        time.Duration

	Level, Contact                     string
	Authorized, Helpers, Bases, Family bool
	Seed                               int

	Scope
	Network
	Data
}

// Defaults are the settings of a scan of which nothing was said.
func Defaults() Settings {
	return Settings{
		Addresses: wire.AllAddresses, Concurrency: 100, Retries: 1, Timeout: 10 * time.Second,
		Level: string(event.LevelStandard), Scope: Scope{Unresolved: UnresolvedFails},
	}
}

// MayPublic reports whether the operator has stated the right to probe what is
// globally reachable, and who answers for it.
func (s *Settings) MayPublic() bool { return s.Authorized && s.Contact != "" }

// Naming says how a setting is called where it was set, for errors.
type Naming struct {
	Prefix string                      // of its name, such as "-"
	Place  func(setting string) string // what an error about it begins with, such as "watch.yaml:7: "; nil for nothing
}

// Call is the name of a setting, within a sentence.
func (n Naming) Call(setting string) string { return n.Prefix + setting }

// At is what an error about a setting begins with, and where an entry is from.
func (n Naming) At(setting string) string {
	if n.Place == nil {
		return n.Call(setting)
	}
	return n.Place(setting) + n.Call(setting)
}

// Builder makes the configuration.
type Builder struct {
	*Settings
	Naming
	Tool  event.Tool
	Known *data.Known
	// Limiter, if set, is that of other runs with the same settings, which share the rate.
	Limiter *pace.Limiter
	// Within, if set, is a further scope that has to allow what is contacted. It is no
	// part of what the scan is, nor of its digest.
	Within *target.Scope
	// Fixed, if set, is the scope, worked out earlier: nothing is read or looked up for it.
	Fixed *target.Limits
	// Offline: names of the scope are not looked up, since that is contact. Unknown then
	// counts them.
	Offline bool
	Unknown int
	// Say takes what the user should know, Warn what is odd about a file; nil for nobody.
	Say, Warn func(text string)

	limits target.Limits // of the scope that was prepared
	here   string        // the first line of a list that means this machine; "" for none
}

func (b *Builder) say(format string, args ...any) {
	if b.Say != nil {
		b.Say(fmt.Sprintf(format, args...))
	}
}

// Build returns a configuration that lacks only where events go, and whose Space the
// caller closes. Targets that were named have this source.
func (b *Builder) Build(ctx context.Context, source string) (*scan.Config, error) {
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.fill(cfg, source); err != nil {
		cfg.Space.Close()
		return nil, err
	}
	b.Finish(cfg)
	return cfg, nil
}

func (b *Builder) fill(cfg *scan.Config, source string) error {
	t, err := b.Into(cfg)
	if err != nil {
		return err
	}
	for _, text := range b.Targets {
		if err := t.Add(text, source); err != nil {
			return err
		}
	}
	for _, file := range b.Lists {
		if err := t.File(file, t.Put); err != nil {
			return err
		}
	}
	return nil
}

// Prepare returns a configuration without targets yet. What it refuses is the user's
// to fix.
func (b *Builder) Prepare(ctx context.Context) (*scan.Config, error) {
	resolver, err := b.resolver()
	if err != nil {
		return nil, err
	}
	if b.limits, err = b.scope(ctx, resolver); err != nil {
		return nil, err
	}
	scope := b.limits.Scope()
	if b.Within != nil {
		scope = scope.Within(b.Within)
	}
	advisories, err := b.Data.Load(b.Known, b.Naming, b.Warn)
	if err != nil {
		return nil, err
	}
	agent := b.Tool.Name + "/" + b.Tool.Version
	if b.Contact != "" {
		agent += " (+" + b.Contact + ")"
	}
	inFlight := b.inFlight()
	places := pace.NewInFlight(inFlight)
	set := b.Known.Set
	if b.Family {
		set = set.Everywhere()
	}
	limiter := b.Limiter
	if limiter == nil {
		limiter = pace.New(b.Rate, b.HostRate)
	}
	options := wire.Options{Scope: scope, Limiter: limiter, InFlight: places, Resolver: resolver, UserAgent: agent}
	network, err := b.network(&options)
	if err != nil {
		return nil, err
	}
	return &scan.Config{
		Space: new(target.Space), Scope: scope,
		Prober: &probe.Prober{
			Wire:  wire.New(options),
			Set:   set,
			Level: event.Level(b.Level), Timeout: b.Timeout, Bases: b.Bases,
		},
		Checks:      check.All(),
		Advisories:  advisories,
		Concurrency: inFlight, InFlight: places, Retries: b.Retries,
		Wait: b.Wait,
		// With -ports only those are tried, unless the helpers' are wanted as well.
		Helpers: b.Ports == "" || b.Helpers, AllHelpers: b.Helpers,
		Head: event.Scan{
			Type: event.TypeScan, Schema: event.Schema,
			Tool:    b.Tool,
			Started: time.Now().UTC().Truncate(time.Millisecond),
			Level:   event.Level(b.Level), Shard: "1/1", Data: b.Known.About(advisories.DB),
			Authorization: event.Authorization{Authorized: b.Authorized, Contact: b.Contact},
			Network:       network,
		},
	}, nil
}

// Finish sets the order of a configuration whose targets are complete, and the digest
// of the scan.
func (b *Builder) Finish(cfg *scan.Config) {
	cfg.Seed, cfg.Head.Seed, cfg.Recheck = uint64(b.Seed), uint64(b.Seed), recheck
	if cfg.Stream == nil {
		cfg.Head.Config = b.digest(cfg)
	}
}

// digest is over all that decides which targets there are, in which order they
// are scanned, and what each is asked. The shard is not part of it: the shards of a
// scan have one digest.
func (b *Builder) digest(cfg *scan.Config) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		"1", cfg.Space.Digest(), b.limits.String(), fmt.Sprint(cfg.Seed), string(cfg.Head.Level),
		fmt.Sprint("family ", b.Family), fmt.Sprint("base-paths ", b.Bases), fmt.Sprint("helpers ", b.Helpers, cfg.Helpers),
		"ports " + b.Ports, "addresses " + b.Addresses,
	}, "\n")))
	return hex.EncodeToString(sum[:])
}

// spare is how many files are open besides one connection for each target in
// flight: standard streams, outputs, the journal, look-ups of names.
const spare = 100

// inFlight returns how many targets may be in flight: what the user wants, limited
// by how many files this process may have open.
func (b *Builder) inFlight() int {
	files := pace.Descriptors()
	most := max(files-spare, files/2, 1)
	if files == 0 || b.Concurrency <= most {
		return b.Concurrency
	}
	b.say("%d targets at a time instead of %d: this process may have only %d files open (ulimit -n)", most, b.Concurrency, files)
	return most
}
