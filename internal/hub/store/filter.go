package store

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go4.org/netipx"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// Filter chooses gateways. The zero value is all of them.
type Filter struct{ conditions []condition }

// condition is a piece of SQL, with ? for its arguments.
type condition struct {
	sql  string
	args []any
}

// maxFilter is how long a filter may be, in bytes, and maxTerms how many terms it has.
const (
	maxFilter = 1000
	maxTerms  = 20
)

// Keys returns the keys of a filter, with an example each.
func Keys() [][2]string {
	return [][2]string{
		{"verdict", "open"}, {"severity", "high"}, {"net", "10.1.0.0/16"}, {"release", "<2026.9"}, {"owner", "mail"},
		{"network", "10.1.0.0/16"}, {"as", "64500"}, {"country", "CN"}, {"finding", "auth-missing"}, {"product", "openclaw"}, {"port", "18789"}, {"watch", "office"},
		{"vantage", "outside"}, {"since", "7d"}, {"is", "unresolved"},
	}
}

// ParseFilter reads what Keys names, with blanks between the terms, of which all have to
// hold; "-" before a term excludes what it is of, and a word without a key is looked for
// in place, name and owner:
//
//	verdict:open,claimable net:10.1.0.0/16 release:<2026.9 -owner:lab mail
//
// A release that is not known is in no comparison: release:unknown finds it. So do
// as:unknown and country:unknown what no file knows.
func ParseFilter(text string) (Filter, error) {
	var f Filter
	if len(text) > maxFilter {
		return f, fmt.Errorf("the query is longer than %d bytes", maxFilter)
	}
	terms := strings.Fields(text)
	if len(terms) > maxTerms {
		return f, fmt.Errorf("the query has more than %d terms", maxTerms)
	}
	for _, term := range terms {
		c, err := parseTerm(strings.TrimPrefix(term, "-"))
		if err != nil {
			return Filter{}, fmt.Errorf("%s: %w", clean.N(term, 60), err)
		}
		if strings.HasPrefix(term, "-") {
			c.sql = "NOT (" + c.sql + ")"
		}
		f.conditions = append(f.conditions, c)
	}
	return f, nil
}

func parseTerm(term string) (condition, error) {
	if _, rest, ok := strings.Cut(term, "://"); ok {
		return words(strings.TrimRight(rest, "/"))
	}
	key, value, ok := strings.Cut(term, ":")
	// host:port and addresses of IPv6 have colons as well.
	if !ok || strings.ContainsAny(key, "0123456789.[") {
		return words(term)
	}
	if value == "" {
		return condition{}, errors.New("a value is missing after the colon")
	}
	switch key {
	case "verdict":
		return oneOf("g.verdict", value, event.Words(Verdicts()...))
	case "severity":
		s, err := event.ParseSeverity(value)
		if err != nil {
			return condition{}, err
		}
		return condition{"g.severity >= ?", []any{s.Rank()}}, nil
	case "net":
		return within(value)
	case "release":
		return releases(value)
	case "owner":
		if value == "none" {
			return condition{"g.owner = ''", nil}, nil
		}
		return condition{`LOWER(g.owner) LIKE ? ESCAPE '\'`, []any{like(value)}}, nil
	case "network":
		p, err := netip.ParsePrefix(value)
		if err != nil {
			return condition{}, errors.New("use a prefix of networks.csv, such as 10.1.0.0/16")
		}
		return condition{"g.network = ?", []any{p.Masked().String()}}, nil
	case "as":
		return anyOf("g.asn", value, system)
	case "country":
		return anyOf("g.country", value, country)
	case "product":
		return condition{`LOWER(g.product) LIKE ? ESCAPE '\'`, []any{like(value)}}, nil
	case "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return condition{}, errors.New("use a port, such as 18789")
		}
		return condition{"g.port = ?", []any{int64(n)}}, nil
	case "finding":
		return condition{"EXISTS (SELECT 1 FROM episode e WHERE e.what = ? AND e.value = ? AND e.closed = 0 AND e.gateway = g.id)", []any{OfFinding, value}}, nil
	case "watch", "vantage":
		return condition{"EXISTS (SELECT 1 FROM sight s WHERE s.gateway = g.id AND s." + key + " = ?)", []any{value}}, nil
	case "since":
		t, err := since(value)
		if err != nil {
			return condition{}, err
		}
		return t, nil
	case "is":
		return is(value)
	}
	var keys []string
	for _, k := range Keys() {
		keys = append(keys, k[0])
	}
	return condition{}, fmt.Errorf("no such key%s: use %s", suggest.DidYouMean(key, keys), strings.Join(keys, ", "))
}

// words looks for a word anywhere.
func words(word string) (condition, error) {
	w := like(word)
	return condition{`(LOWER(g.place) LIKE ? ESCAPE '\' OR LOWER(g.name) LIKE ? ESCAPE '\' OR LOWER(g.owner) LIKE ? ESCAPE '\')`, []any{w, w, w}}, nil
}

// like is a pattern that finds the text anywhere, in any case.
func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), ""))) + "%"
}

// oneOf is a column that has one of several values.
func oneOf(column, values string, known []string) (condition, error) {
	return anyOf(column, values, func(v string) (any, error) {
		if !slices.Contains(known, v) {
			return nil, fmt.Errorf("no such value%s: use %s", suggest.DidYouMean(v, known), strings.Join(known, ", "))
		}
		return v, nil
	})
}

// anyOf is a column that has one of several values, as read makes them.
func anyOf(column, values string, read func(string) (any, error)) (c condition, err error) {
	var marks []string
	for v := range strings.SplitSeq(values, ",") {
		x, err := read(v)
		if err != nil {
			return c, err
		}
		marks, c.args = append(marks, "?"), append(c.args, x)
	}
	c.sql = column + " IN (" + strings.Join(marks, ", ") + ")"
	return c, nil
}

// Unknown is the value of a filter that stands for what is not known.
const Unknown = "unknown"

// system is the number of an AS, 0 for unknown.
func system(value string) (any, error) {
	if value == Unknown {
		return int64(0), nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(value), "AS"), 10, 32)
	if err != nil || n == 0 {
		return nil, errors.New("use the number of an AS, such as 64500, or unknown")
	}
	return int64(n), nil
}

// country is a country in capital letters, "" for unknown.
func country(value string) (any, error) {
	if value == Unknown {
		return "", nil
	}
	if value = strings.ToUpper(value); !event.IsCountry(value) {
		return nil, errors.New("use the two letters of a country, such as CN, or unknown")
	}
	return value, nil
}

// within is an address, a prefix or a range.
func within(value string) (condition, error) {
	var r netipx.IPRange
	if p, err := netip.ParsePrefix(value); err == nil {
		r = netipx.RangeOfPrefix(p.Masked())
	} else if a, err := netip.ParseAddr(value); err == nil {
		r = netipx.IPRangeFrom(a, a)
	} else if r, err = netipx.ParseIPRange(value); err != nil {
		return condition{}, errors.New("use an address, a prefix such as 10.1.0.0/16, or a range such as 10.1.0.1-10.1.0.9")
	}
	low, high := r.From().As16(), r.To().As16()
	return condition{"g.addr BETWEEN ? AND ?", []any{low[:], high[:]}}, nil
}

// releases compares releases: 2026.9.6, <2026.9, >=2026.8.1, 2026.9 for all of a month.
func releases(value string) (condition, error) {
	if value == Unknown {
		return condition{"g.low = 0", nil}, nil
	}
	text := strings.TrimLeft(value, "<>=")
	op := value[:len(value)-len(text)]
	low, high, err := span9(text)
	if err != nil {
		return condition{}, err
	}
	switch op {
	case "<":
		return condition{"(g.low > 0 AND g.high < ?)", []any{low}}, nil
	case "<=":
		return condition{"(g.low > 0 AND g.high <= ?)", []any{high}}, nil
	case ">":
		return condition{"g.low > ?", []any{high}}, nil
	case ">=":
		return condition{"g.low >= ?", []any{low}}, nil
	case "", "=":
		return condition{"(g.low >= ? AND g.high <= ?)", []any{low, high}}, nil
	}
	return condition{}, errors.New("use <, <=, >, >= or nothing before the release")
}

// since is how long a verdict has stood at most, as 7d or 12h, counted from now on by the
// database's caller.
func since(value string) (condition, error) {
	n, err := strconv.Atoi(strings.TrimRight(value, "hdw"))
	unit := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[value[len(value)-1]]
	if err != nil || n < 0 || n > 10_000 || unit == 0 || len(strings.TrimRight(value, "hdw")) != len(value)-1 {
		return condition{}, errors.New("use a number of hours, days or weeks, such as 12h, 7d or 2w")
	}
	return condition{"g.since >= ?", []any{ago(time.Duration(n) * unit)}}, nil
}

// ago stands for a time before the moment of the query.
type ago time.Duration

func is(value string) (condition, error) {
	switch value {
	case "unresolved":
		return condition{"(" + unresolved() + ")", nil}, nil
	case "differing":
		return condition{"g.differs = 1", nil}, nil
	}
	return condition{}, errors.New("use is:unresolved (was open, and was not proven to be closed) or is:differing (vantages see different verdicts)")
}

// span9 is the first and the last number of what a release, or the beginning of one, names.
func span9(text string) (low, high int64, err error) {
	if v, err := release.Parse(text); err == nil {
		return v.Number(), v.Number(), nil
	}
	parts := strings.Split(text, ".")
	bad := errors.New("use a release such as 2026.9.6, or its beginning, such as 2026.9")
	switch len(parts) {
	case 1:
		last, e := release.Parse(parts[0] + ".12.65535-65535")
		first, e2 := release.Parse(parts[0] + ".1.1-alpha.1")
		if e != nil || e2 != nil {
			return 0, 0, bad
		}
		return first.Number(), last.Number(), nil
	case 2:
		last, e := release.Parse(text + ".65535-65535")
		first, e2 := release.Parse(text + ".1-alpha.1")
		if e != nil || e2 != nil {
			return 0, 0, bad
		}
		return first.Number(), last.Number(), nil
	}
	return 0, 0, bad
}

// where is the condition of SQL, and adds its arguments to those that there are.
func (f Filter) where(now time.Time, args []any) (string, []any) {
	if len(f.conditions) == 0 {
		return "", args
	}
	var parts []string
	for _, c := range f.conditions {
		text := c.sql
		for _, a := range c.args {
			if d, ok := a.(ago); ok {
				a = ms(now.Add(-time.Duration(d)))
			}
			args = append(args, a)
			text = strings.Replace(text, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		parts = append(parts, text)
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}
