package target

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestBounds(t *testing.T) {
	addrs := map[string][]netip.Addr{
		"one.example":    {netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")},
		"mapped.example": {netip.MustParseAddr("::ffff:10.0.0.1")},
	}
	const systems = "192.0.2.0/24\t64500\n198.51.100.0/24\t64501\n"
	for _, tt := range []struct {
		name        string
		allow, deny string
		unresolved  bool
		dry         bool // nothing is looked up
		want, err   string
	}{
		{name: "nothing", want: "allow [], wide [], deny [] [], notes []"},
		{name: "blocks", allow: "10.0.0.0/8\n192.0.2.1", deny: "10.1.0.0/16", want: "allow [10.0.0.0/8 192.0.2.1/32], wide [], deny [10.1.0.0/16] [], notes []"},
		{name: "a range that is more than a special block", allow: "9.255.255.255-10.0.0.0", want: "allow [], wide [9.255.255.255/32 10.0.0.0/32], deny [] [], notes []"},
		{name: "names", allow: "one.example", deny: "one.example", want: "allow [192.0.2.7/32 2001:db8::7/128], wide [], deny [192.0.2.7/32 2001:db8::7/128] [one.example], notes []"},
		{name: "a name with a mapped address", allow: "mapped.example", deny: "mapped.example", want: "allow [], wide [10.0.0.1/32], deny [10.0.0.1/32] [mapped.example], notes []"},
		{name: "a name to allow that does not exist", allow: "10.0.0.1\nnone.example", want: "allow [10.0.0.1/32], wide [], deny [] [], notes [a:2: none.example has no address: only the name counts]"},
		{name: "a name to exclude that does not exist", deny: "none.example", err: "d:1: none.example does not exist, so what it stands for would not be excluded"},
		{name: "that is said to be right", deny: "none.example", unresolved: true, want: "allow [], wide [], deny [] [none.example], notes [d:1: none.example has no address: only the name counts]"},
		{name: "nothing is looked up", allow: "one.example", deny: "none.example", dry: true, want: "allow [], wide [], deny [] [none.example], notes []"},
		{name: "systems", allow: "AS64500", deny: "AS64501", want: "allow [], wide [192.0.2.0/24], deny [198.51.100.0/24] [], notes []"},
		{name: "a system that no line is about", allow: "AS64502", err: "a:1: AS64502 is not in table"},
		{name: "not an entry", allow: "a b", err: "a:1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := Bounds{Addrs: addrs, Unresolved: tt.unresolved}
			if tt.dry {
				b.Addrs = nil
			}
			var err error
			if b.Allow, err = Entries(strings.NewReader(tt.allow), "a"); err == nil {
				b.Deny, err = Entries(strings.NewReader(tt.deny), "d")
			}
			if err == nil {
				err = b.ReadSystems(strings.NewReader(systems), "table")
			}
			var got string
			if err == nil {
				var l Limits
				var notes []string
				l, notes, err = b.Limits()
				got = fmt.Sprintf("allow %v, wide %v, deny %v %v, notes %v", l.Allow, l.Wide, l.Deny, l.Names, notes)
				if len(b.Allow) > 0 && l.Allow == nil {
					t.Error("an allow list allows everything")
				}
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && (err != nil || got != tt.want) {
				t.Errorf("%s, %v\nwant %s%s", got, err, tt.want, tt.err)
			}
		})
	}
	b := Bounds{Allow: []Sourced{{Entry{Name: "a"}, "1"}, {Entry{AS: 1}, "2"}, {Entry{}, "3"}}, Deny: []Sourced{{Entry{Name: "a"}, "4"}, {Entry{Name: "b"}, "5"}, {Entry{AS: 1}, "6"}}}
	if got := fmt.Sprint(b.Names(), b.Numbers()); got != "[{{[] false a 0} 1} {{[] false b 0} 5}] [{{[] false  1} 2}]" {
		t.Error(got)
	}
}
