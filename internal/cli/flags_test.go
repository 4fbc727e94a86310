package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// values is one flag of each kind.
type values struct {
	Text, Word string
	Number     int
	Switch     bool
	Time       time.Duration
	List       []string
}

func (v *values) flags() *flags {
	f := newFlags("test")
	f.group("Flags")
	f.text(&v.Text, "text", "t", "TEXT", "a text", nil)
	f.choice(&v.Word, "word", "", "WORD", "red", "red or green", []string{"red", "green"})
	f.integer(&v.Number, "number", "n", 7, 0, "a number")
	f.boolean(&v.Switch, "switch", "", "a switch")
	f.duration(&v.Time, "time", "tm", time.Second, "a time")
	f.list(&v.List, "list", "l", "TEXT", "a list", func(s string) error { return nil })
	return f
}

func TestParse(t *testing.T) {
	unset := values{Word: "red", Number: 7, Time: time.Second}
	with := func(change func(*values)) values {
		v := unset
		change(&v)
		return v
	}
	for _, tt := range []struct {
		name string
		args string
		env  map[string]string
		yaml string
		want values
		rest string
	}{
		{name: "nothing", want: unset},
		{name: "flags anywhere", args: "a -n 1 b -switch c", rest: "a b c",
			want: with(func(v *values) { v.Number, v.Switch = 1, true })},
		{name: "one dash, two, equals sign", args: "-text=x --number=2 --switch=false", want: with(func(v *values) { v.Text, v.Number = "x", 2 })},
		{name: "a short name of two letters", args: "-tm 2s -t x", want: with(func(v *values) { v.Time, v.Text = 2*time.Second, "x" })},
		{name: "the last one counts", args: "-n 1 -number 2", want: with(func(v *values) { v.Number = 2 })},
		{name: "a list adds up", args: "-l a -list b,c", want: with(func(v *values) { v.List = []string{"a", "b,c"} })},
		{name: "after two dashes", args: "a -n 1 -- -n 2 --", rest: "a -n 2 --", want: with(func(v *values) { v.Number = 1 })},
		{name: "two dashes as a value", args: "-t -- a -n 1", rest: "a", want: with(func(v *values) { v.Text, v.Number = "--", 1 })},
		{name: "one dash is an argument", args: "- -n 1", rest: "-", want: with(func(v *values) { v.Number = 1 })},
		{name: "environment", env: map[string]string{"CLAWSONAR_NUMBER": "3", "CLAWSONAR_SWITCH": "true", "CLAWSONAR_LIST": "a,b", "CLAWSONAR_TEXT": ""},
			yaml: "text: file", want: with(func(v *values) { v.Number, v.Switch, v.List, v.Text = 3, true, []string{"a", "b"}, "file" })},
		{name: "file", yaml: "text: x\nword: green\nnumber: 4\nswitch: true\ntime: 3s\nlist: [a, b]",
			want: values{"x", "green", 4, true, 3 * time.Second, []string{"a", "b"}}},
		{name: "a list of one", yaml: "list: a", want: with(func(v *values) { v.List = []string{"a"} })},
		{name: "flag, then environment, then file", args: "-n 1", env: map[string]string{"CLAWSONAR_NUMBER": "2", "CLAWSONAR_TIME": "2s"},
			yaml: "number: 3\ntime: 3s\ntext: file",
			want: with(func(v *values) { v.Number, v.Time, v.Text = 1, 2*time.Second, "file" })},
		{name: "a flag equal to its default wins as well", args: "-n 7 -switch=false -word red", env: map[string]string{"CLAWSONAR_SWITCH": "true"},
			yaml: "number: 3\nswitch: true\nword: green", want: unset},
		{name: "a short name counts as the long one", args: "-l a", yaml: "list: [b, c]", want: with(func(v *values) { v.List = []string{"a"} })},
		{name: "comments only", yaml: "# text: x", want: unset},
		{name: "an empty document", yaml: "---\n", want: unset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got values
			rest, err := parse(t, &got, tt.args, tt.env, tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if r := strings.Join(rest, " "); r != tt.rest {
				t.Errorf("arguments are %q, want %q", r, tt.rest)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		args string
		env  map[string]string
		yaml string
		want string
	}{
		{args: "-bogus", want: `unknown flag -bogus: see "clawsonar test -help"`},
		{args: "a --bogus=1", want: `unknown flag -bogus: see "clawsonar test -help"`},
		{args: "-n", want: `flag needs an argument: -n`},
		{args: "---n", want: `bad flag syntax: ---n`},
		{args: "-n -1", want: `-n: "-1" does not fit: use a whole number from 0 on`},
		{args: "-n=1.5", want: `-n: "1.5" does not fit: use a whole number from 0 on`},
		{args: "-switch=on", want: `-switch: "on" does not fit: use true or false`},
		{args: "-tm 3", want: `-tm: "3" does not fit: use a duration such as 500ms, 10s or 2m`},
		{args: "-word blue", want: `-word: "blue" is unknown: use red or green`},
		{args: `-word x":y`, want: `-word: "x\":y" is unknown: use red or green`},
		{env: map[string]string{"CLAWSONAR_NUMBER": "x"}, want: `environment variable CLAWSONAR_NUMBER: "x" does not fit: use a whole number from 0 on`},
		{yaml: "\nnumber: x", want: `FILE:2: setting "number": "x" does not fit: use a whole number from 0 on`},
		{yaml: "list:\n- a\n- [b]", want: `FILE:3: setting "list" takes one value`},
		{yaml: "text: {a: b}", want: `FILE:1: setting "text" takes one value`},
		{yaml: "text: &x a\nword: *x", want: `FILE:2: an alias, *x: write out what it stands for`},
		{yaml: "text:", want: `FILE:1: setting "text" takes one value`},
		{yaml: "a b", want: `FILE:1: settings are lines of the form "flag: value"`},
		// Settings that lose are looked at all the same, as to their names.
		{args: "-n 1", yaml: "nmber: 1", want: `FILE:1: unknown setting "nmber": settings are the long names of flags, see -help`},
	} {
		var got values
		_, err := parse(t, &got, tt.args, tt.env, tt.yaml)
		if err == nil {
			t.Errorf("args %q, yaml %q: accepted, want error %q", tt.args, tt.yaml, tt.want)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("args %q, yaml %q: error is\n%s, want\n%s", tt.args, tt.yaml, err, tt.want)
		}
	}
}

// parse has args (separated by spaces), environment and file parsed; the file's
// name is FILE in errors.
func parse(t *testing.T, v *values, args string, env map[string]string, yaml string) ([]string, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("FILE", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) (string, bool) { s, ok := env[name]; return s, ok }
	return v.flags().parse(strings.Fields(args), getenv, func() (string, bool) { return "FILE", true })
}

// A configuration file that is not there is an error only when it was asked for.
func TestMissingConfig(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere.yaml")
	none := func(string) (string, bool) { return "", false }
	for _, required := range []bool{true, false} {
		_, err := new(values).flags().parse(nil, none, func() (string, bool) { return nowhere, required })
		if (err != nil) != required {
			t.Errorf("required %t: error is %v", required, err)
		}
	}
}

// What every flag of scan promises in its help: a name that the environment
// and the file can have, and words about it.
func TestScanFlags(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range new(scanOptions).flags().groups {
		for _, o := range g.flags {
			for _, name := range []string{o.long, o.short} {
				if name != "" && seen[name] {
					t.Errorf("-%s is there twice", name)
				}
				seen[name] = true
			}
			if o.long == "" || o.usage == "" {
				t.Errorf("group %s: a flag without name or usage: %+v", g.title, o)
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d names", len(seen))
	}
}
