package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Plan is a configuration with nothing left to read: no file, and of the scope no name to
// look up. Another machine that has it, and the entries of the targets, makes the same
// scan of it. Its form is JSON. What each machine has of its own is not in it: the way of
// its connections, and how many it may make a second.
type Plan struct {
	Limits target.Limits `json:"limits"`
	Seed   int           `json:"seed"`
	Config string        `json:"config"` // digest; see event.Scan

	Level         string        `json:"level"`
	Authorized    bool          `json:"authorized"`
	Contact       string        `json:"contact"`
	Ports         string        `json:"ports"`           // as in Settings
	Tried         []uint16      `json:"tried,omitempty"` // of targets that name none
	Addresses     string        `json:"addresses"`
	Concurrency   int           `json:"concurrency"`
	HostRate      int           `json:"rate_limit_host"`
	Retries       int           `json:"retries"`
	Timeout       time.Duration `json:"timeout_ns"`
	Helpers       bool          `json:"helpers"`
	Bases         bool          `json:"base_paths"`
	Family        bool          `json:"family"`
	Headers       []string      `json:"headers,omitempty"`
	AllAdvisories bool          `json:"all_advisories"`
}

// Plan makes a plan of the settings, and the configuration here, whose Space has the
// targets and is the caller's to close. It refuses settings that another machine has to
// have of its own.
func (b *Builder) Plan(ctx context.Context, source string) (*Plan, *scan.Config, error) {
	if err := b.plannable(); err != nil {
		return nil, nil, err
	}
	cfg, err := b.Build(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	if b.here != "" {
		cfg.Space.Close()
		return nil, nil, fmt.Errorf("%s: what is published or listens there is of the machine that the list is from, and each worker would take itself for it: write the machine's address in place of 0.0.0.0, [::] and 127.0.0.1", b.here)
	}
	return &Plan{
		Limits: b.limits, Seed: b.Seed, Config: cfg.Head.Config,
		Level: b.Level, Authorized: b.Authorized, Contact: b.Contact,
		Ports: b.Ports, Tried: cfg.Head.Ports, Addresses: b.Addresses,
		Concurrency: b.Concurrency, HostRate: b.HostRate, Retries: b.Retries, Timeout: b.Timeout,
		Helpers: b.Helpers, Bases: b.Bases, Family: b.Family, Headers: b.Headers,
		AllAdvisories: slices.Contains(b.Advisories, AllAdvisories),
	}, cfg, nil
}

// plannable refuses what a plan does not have.
func (b *Builder) plannable() error {
	const own = "belongs to the machine that scans: give it to each worker"
	file := ""
	for _, name := range b.Advisories {
		if name != AllAdvisories {
			file = name
		}
	}
	wait := ""
	if b.Wait != 0 {
		wait = b.Wait.String()
	}
	for _, no := range []struct{ setting, value, why string }{
		{"proxy", b.Proxy, own}, {"source-ip", b.SourceIP, own}, {"interface", b.Interface, own}, {"resolver", b.Resolver, own},
		{"advisories", file, "workers match those that come with their program: leave the file out"},
		{"vex", b.VEX, "workers have no such file: leave it out"},
		{"wait", wait, "workers ask once: leave it out"},
	} {
		if no.value != "" {
			return fmt.Errorf("%s: %s", b.At(no.setting), no.why)
		}
	}
	return nil
}

// Check refuses a plan of which no configuration can be made.
func (p *Plan) Check() error {
	switch {
	case !slices.Contains(event.Words(event.Levels()...), p.Level):
		return fmt.Errorf("%.40q is no level", p.Level)
	case !slices.Contains([]string{wire.AllAddresses, wire.FirstAddress, wire.OnlyIPv4, wire.OnlyIPv6}, p.Addresses):
		return fmt.Errorf("%.40q is no choice of addresses", p.Addresses)
	case p.Limits.Public && (!p.Authorized || p.Contact == ""):
		return errors.New("the scope has what is globally reachable, and nobody states the right to probe it")
	case p.Concurrency < 1 || p.HostRate < 0 || p.Retries < 0 || p.Timeout <= 0 || p.Seed < 0:
		return errors.New("a number is out of its range")
	}
	if p.Ports != "" {
		if err := CheckPorts(p.Ports); err != nil {
			return err
		}
	}
	if p.Contact != "" {
		return CheckContact(p.Contact)
	}
	return nil
}

// Build makes the configuration of a plan whose targets are in a space, with what the
// builder has of this machine: Settings are its Network, and how many targets are in
// flight at most, 0 for as many as the plan says. It lacks only where events go. A
// configuration that is not that of the plan is an error.
func (p *Plan) Build(ctx context.Context, b Builder, space *target.Space) (*scan.Config, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	own := b.Settings
	s := &Settings{
		Ports: p.Ports, Addresses: p.Addresses, Concurrency: p.Concurrency, HostRate: p.HostRate, Retries: p.Retries, Timeout: p.Timeout,
		Level: p.Level, Contact: p.Contact, Authorized: p.Authorized, Helpers: p.Helpers, Bases: p.Bases, Family: p.Family, Seed: p.Seed,
		Network: own.Network,
	}
	s.Headers = p.Headers
	if own.Concurrency > 0 {
		s.Concurrency = min(s.Concurrency, own.Concurrency)
	}
	if p.AllAdvisories {
		s.Advisories = []string{AllAdvisories}
	}
	b.Settings, b.Fixed = s, &p.Limits
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Space, cfg.Head.Ports = space, p.Tried
	b.Finish(cfg)
	if cfg.Head.Config != p.Config {
		return nil, errors.New("the scan made of the record is not that of the hub: use the same version of the program on both")
	}
	return cfg, nil
}
