package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// document is a watch.yaml as it is written.
type document struct {
	Store    text     `yaml:"store"`
	Streams  text     `yaml:"streams"`
	Listen   text     `yaml:"listen"`
	URL      text     `yaml:"url"`
	TLS      *files   `yaml:"tls"`
	Behind   text     `yaml:"behind"`
	Public   bool     `yaml:"public"`
	Auth     *auth    `yaml:"auth"`
	Networks text     `yaml:"networks"`
	Geo      located  `yaml:"geo"`
	Lang     text     `yaml:"lang"`
	Workers  *workers `yaml:"workers"`
	Watches  []*watch `yaml:"watches"`
	Alerts   []*alert `yaml:"alerts"`
}

type workers struct {
	Listen          text `yaml:"listen"`
	URL             text `yaml:"url"`
	Dir             text `yaml:"dir"`
	RateLimit       *int `yaml:"rate-limit"`
	NATS            text `yaml:"nats"`
	NATSCredentials text `yaml:"nats-credentials"`
	NATSCA          text `yaml:"nats-ca"`
}

type files struct {
	Cert text `yaml:"cert"`
	Key  text `yaml:"key"`
}

type auth struct {
	OIDC *oidc `yaml:"oidc"`
}

type oidc struct {
	Issuer           text `yaml:"issuer"`
	ClientID         text `yaml:"client_id"`
	ClientSecretFile text `yaml:"client_secret_file"`
	Allow            who  `yaml:"allow"`
	Work             who  `yaml:"work"`
}

type who struct {
	Groups texts `yaml:"groups"`
	Users  texts `yaml:"users"`
}

func (w who) who() Who { return Who{w.Groups, w.Users} }

// watch is a watch, or a job: that has neither every, confirm nor vantage.
type watch struct {
	Name     text     `yaml:"name"`
	Every    duration `yaml:"every"`
	Confirm  *int     `yaml:"confirm"`
	Vantage  text     `yaml:"vantage"`
	Vantages texts    `yaml:"vantages"`
	Units    *int     `yaml:"units"`

	// The settings of a scan, by the names of its flags.
	Targets           texts    `yaml:"targets"`
	List              texts    `yaml:"list"`
	Ports             texts    `yaml:"ports"`
	BasePath          text     `yaml:"base-path"`
	Addresses         text     `yaml:"addresses"`
	Level             text     `yaml:"level"`
	Allow             texts    `yaml:"allow"`
	Scope             text     `yaml:"scope"`
	Exclude           texts    `yaml:"exclude"`
	ExcludeFile       text     `yaml:"exclude-file"`
	ExcludeUnresolved text     `yaml:"exclude-unresolved"`
	ASFile            text     `yaml:"as-file"`
	RateLimit         *int     `yaml:"rate-limit"`
	RateLimitHost     *int     `yaml:"rate-limit-host"`
	Concurrency       *int     `yaml:"concurrency"`
	Timeout           duration `yaml:"timeout"`
	Retries           *int     `yaml:"retries"`
	Contact           text     `yaml:"contact"`
	Authorized        bool     `yaml:"authorized"`
	Helpers           bool     `yaml:"helpers"`
	BasePaths         bool     `yaml:"base-paths"`
	Family            bool     `yaml:"family"`
	Proxy             text     `yaml:"proxy"`
	SourceIP          text     `yaml:"source-ip"`
	Interface         text     `yaml:"interface"`
	Resolver          text     `yaml:"resolver"`
	Header            texts    `yaml:"header"`
	Advisories        texts    `yaml:"advisories"`
	VEX               text     `yaml:"vex"`

	line  int
	lines map[string]int
}

// UnmarshalYAML reads a watch, and remembers where its keys are.
func (w *watch) UnmarshalYAML(n *yaml.Node) error {
	w.line, w.lines = n.Line, map[string]int{}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		w.lines[n.Content[i].Value] = n.Content[i].Line
	}
	type plain watch
	return strict.Node(n, (*plain)(w))
}

type alert struct {
	Name       text      `yaml:"name"`
	When       texts     `yaml:"when"`
	Severity   text      `yaml:"severity"`
	Watches    texts     `yaml:"watches"`
	Owners     texts     `yaml:"owners"`
	To         texts     `yaml:"to"`
	SecretFile text      `yaml:"secret_file"`
	Digest     *duration `yaml:"digest"`
	After      duration  `yaml:"after"`
}

// text is one value that is not empty, as it is written: 18789 is a text, too.
type text string

// UnmarshalYAML reads it.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		return &strict.Error{Line: n.Line, Err: errors.New("one value is expected")}
	}
	*t = text(n.Value)
	return nil
}

// texts is one value or a list of some.
type texts []string

// UnmarshalYAML reads them.
func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	if len(nodes) == 0 {
		return &strict.Error{Line: n.Line, Err: errors.New("the list is empty: leave it out")}
	}
	for _, n := range nodes {
		var one text
		if err := one.UnmarshalYAML(n); err != nil {
			return err
		}
		*t = append(*t, string(one))
	}
	return nil
}

// located is texts, and where they are.
type located struct {
	texts texts
	line  int
}

// UnmarshalYAML reads them.
func (l *located) UnmarshalYAML(n *yaml.Node) error {
	l.line = n.Line
	return l.texts.UnmarshalYAML(n)
}

// duration is a time of 1s to 366d.
type duration time.Duration

var durationForm = regexp.MustCompile(`^(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$`)

// UnmarshalYAML reads one that is written as 90s, 15m, 6h, 7d or 1d12h.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	parts := durationForm.FindStringSubmatch(n.Value)
	var sum time.Duration
	if n.Kind == yaml.ScalarNode && parts != nil {
		for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
			if count, err := strconv.Atoi(parts[i+1]); err == nil {
				sum += time.Duration(count) * unit
			}
		}
	}
	if sum < time.Second || sum > 366*24*time.Hour {
		return &strict.Error{Line: n.Line, Err: fmt.Errorf("%.20q is no time from 1s to 366d: write it as 90s, 15m, 6h or 7d", n.Value)}
	}
	*d = duration(sum)
	return nil
}
