package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// What is read of a list of networks at most: bytes, and characters of a field.
const (
	maxNetworks = 16 << 20
	maxField    = 200
)

// Networks are the lines of networks.csv, the longest prefixes first: the most specific one
// that holds an address counts.
type Networks []store.Network

// ParseNetworks reads lines of "prefix,owner,contact"; the contact may be empty or
// missing. Lines may be empty or begin with #, and the first may be the header. An error
// names file and line.
func ParseNetworks(file string, data []byte) (Networks, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = '#', -1, true, true
	var out Networks
	lines := map[netip.Prefix]int{}
	for first := true; ; first = false {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
			return nil, &strict.Error{File: file, Line: wrong.Line, Err: wrong.Err}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		if first && strings.EqualFold(strings.TrimSpace(record[0]), "prefix") {
			continue
		}
		n, err := network(record)
		if err == nil && lines[n.Prefix] > 0 {
			err = fmt.Errorf("%s comes twice: first on line %d", n.Prefix, lines[n.Prefix])
		}
		if err != nil {
			return nil, &strict.Error{File: file, Line: line, Err: err}
		}
		lines[n.Prefix] = line
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b store.Network) int {
		if d := b.Prefix.Bits() - a.Prefix.Bits(); d != 0 {
			return d
		}
		return a.Prefix.Addr().Compare(b.Prefix.Addr())
	})
	return out, nil
}

// network reads a line.
func network(record []string) (store.Network, error) {
	var n store.Network
	if len(record) < 2 || len(record) > 3 {
		return n, fmt.Errorf("%d fields: write prefix,owner,contact", len(record))
	}
	fields := [3]string{}
	for i, f := range record {
		fields[i] = strings.TrimSpace(f)
		if !utf8.ValidString(f) || strings.ContainsFunc(f, clean.Hidden) {
			return n, errors.New("a field holds characters that cannot be shown")
		}
		if utf8.RuneCountInString(fields[i]) > maxField {
			return n, fmt.Errorf("a field is longer than %d characters", maxField)
		}
	}
	prefix, err := netip.ParsePrefix(fields[0])
	if addr, e := netip.ParseAddr(fields[0]); e == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return n, fmt.Errorf("%.60q is no block of addresses: write it as 10.1.0.0/16 or 2001:db8::/32", fields[0])
	case prefix.Addr().Is4In6():
		return n, fmt.Errorf("%s: write it as a block of IPv4", prefix)
	case prefix != prefix.Masked():
		return n, fmt.Errorf("%s has bits beyond its length: did you mean %s?", prefix, prefix.Masked())
	case fields[1] == "":
		return n, fmt.Errorf("%s has no owner", prefix)
	}
	return store.Network{Prefix: prefix, Owner: fields[1], Contact: fields[2]}, nil
}

// Owners are the owners, each once.
func (n Networks) Owners() []string {
	var out []string
	for _, x := range n {
		out = append(out, x.Owner)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
