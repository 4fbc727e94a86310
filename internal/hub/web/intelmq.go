package web

import (
	"context"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// intelMQ writes events as IntelMQ 3.5 takes them (its documentation, "Event"): one JSON
// object a line, names with dots. A field that IntelMQ would refuse is left out.

// intelColumns are the names of the fields, in their order.
func intelColumns() []string {
	return []string{
		"feed.name", "time.source", "time.observation", "classification.taxonomy", "classification.type", "classification.identifier", "severity",
		"source.ip", "source.port", "source.fqdn", "source.url", "source.network", "source.asn", "source.as_name", "source.geolocation.cc", "source.abuse_contact", "protocol.transport", "protocol.application",
		"extra.verdict", "extra.verdict_since", "extra.change", "extra.findings", "extra.finding_ids", "extra.advisories", "extra.product", "extra.release",
		"extra.owner", "extra.contact", "extra.vantage", "extra.gateway",
	}
}

// intelEvent is one of them, before its fields are checked.
type intelEvent struct {
	At             time.Time
	Verdict        store.Verdict
	Since          time.Time
	Unresolved     bool
	Severity       event.Severity
	Addr           netip.Addr
	Port           int
	Name, URL      string
	Network        string
	Geo            event.Geo
	Owner, Contact string
	Product        string
	Release        string
	Findings       int
	IDs            []string
	Advisories     int
	Change         []string
	Vantage        string
	Gateway        store.ID
}

// classify says what an event is; not ok of what nobody has to act upon: a gateway that
// by proof asks for a credential, without a finding.
func (e *intelEvent) classify() (taxonomy, kind, identifier string, ok bool) {
	switch {
	case e.Verdict == store.Verdict(event.AuthOpen):
		return "vulnerable", "vulnerable-system", "openclaw-open-gateway", true
	case e.Verdict == store.Verdict(event.AuthClaimable):
		return "vulnerable", "vulnerable-system", "openclaw-claimable-gateway", true
	case e.Unresolved:
		return "other", "undetermined", "openclaw-gateway-was-open", true
	case e.Findings > 0:
		return "vulnerable", "vulnerable-system", "openclaw-gateway-finding", true
	case tone(e.Verdict) == "doubt":
		return "other", "undetermined", "openclaw-gateway-unknown", true
	}
	return "", "", "", false
}

var fqdn = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\.[a-z][a-z0-9-]*[a-z0-9]$`)
var mail = regexp.MustCompile(`^[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$`)

func (b *Board) intelRow(s *sheet, e *intelEvent) error {
	taxonomy, kind, identifier, ok := e.classify()
	if !ok {
		return nil
	}
	severity := string(e.Severity)
	if !e.Severity.Known() {
		severity = "undefined"
	}
	var ip, port, name, url, network, asn, as, cc, abuse any
	if e.Addr.IsValid() {
		ip = e.Addr.WithZone("").String()
	}
	if e.Port > 0 && e.Port < 1<<16 {
		port = e.Port
	}
	if n := strings.ToLower(strings.TrimSuffix(e.Name, ".")); len(n) < 254 && fqdn.MatchString(n) {
		name = n
	}
	protocol, _, _ := strings.Cut(e.URL, "://")
	if protocol == "http" || protocol == "https" {
		url = e.URL
	} else {
		protocol = ""
	}
	if p, err := netip.ParsePrefix(e.Network); err == nil {
		network = p.Masked().String()
	}
	if e.Geo.AS > 0 {
		asn = e.Geo.AS
		if e.Geo.ASName != "" {
			as = e.Geo.ASName
		}
	}
	if event.IsCountry(e.Geo.Country) {
		cc = e.Geo.Country
	}
	if m := strings.ToLower(e.Contact); mail.MatchString(m) {
		abuse = m
	}
	var since, change, ids any
	if !e.Since.IsZero() {
		since = stamp(e.Since)
	}
	if len(e.Change) > 0 {
		change = strings.Join(e.Change, " ")
	}
	if len(e.IDs) > 0 {
		ids = e.IDs
	}
	return s.row(b.Tool.Name, stamp(e.At), stamp(b.Now()), taxonomy, kind, identifier, severity, ip, port, name, url, network, asn, as, cc, abuse, "tcp", protocol,
		string(e.Verdict), since, change, e.Findings, ids, e.Advisories, e.Product, e.Release, e.Owner, e.Contact, e.Vantage, e.Gateway.String())
}

// stamp is a time as IntelMQ writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }

func (b *Board) intelMQ(ctx context.Context, w io.Writer, f store.Filter) error {
	s := newSheet(w, "jsonl", intelColumns())
	return b.Data.EachGateway(ctx, f, func(g *store.Gateway, t *event.Target) error {
		e := &intelEvent{
			At: g.Last, Verdict: g.Verdict, Since: g.Since, Unresolved: g.Unresolved(), Severity: g.Severity, Addr: g.Addr, Port: g.Port, Name: g.Name, URL: g.URL,
			Network: g.Network, Geo: g.Geo, Owner: g.Owner, Contact: g.Contact, Product: g.Product, Release: g.Release, Findings: g.Findings, Advisories: g.Advisories, Gateway: g.ID,
		}
		if g.Findings > 0 {
			for i := range t.Findings {
				if t.Findings[i].Active() {
					e.IDs = append(e.IDs, t.Findings[i].ID)
				}
			}
		}
		return b.intelRow(s, e)
	})
}

func (b *Board) intelMQChanges(ctx context.Context, w io.Writer, f store.ChangeFilter) error {
	s := newSheet(w, "jsonl", intelColumns())
	return b.eachChange(ctx, f, func(c *store.Change) error {
		e := &intelEvent{
			At: c.At, Verdict: c.Verdict, Severity: c.Severity, Network: c.Network, Owner: c.Owner, Contact: c.Contact, Product: c.Product, Release: c.Release,
			Findings: c.Opened, Vantage: c.Vantage, Gateway: c.Gateway,
			Unresolved: tone(c.OldVerdict) == "worst" && tone(c.Verdict) != "worst" && !c.Has(store.KindClosed),
		}
		for _, k := range c.Kinds {
			e.Change = append(e.Change, string(k))
		}
		place, _, _ := strings.Cut(c.Place, "/")
		if host, port, err := net.SplitHostPort(place); err == nil {
			e.Port, _ = strconv.Atoi(port)
			if addr, err := netip.ParseAddr(host); err == nil {
				e.Addr = addr
			} else {
				e.Name = host
			}
		}
		return b.intelRow(s, e)
	})
}
