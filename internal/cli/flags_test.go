package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/data"
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
		{args: "-n -1", want: `-n: "-1" is not valid: use a whole number, 0 or more`},
		{args: "-n=1.5", want: `-n: "1.5" is not valid: use a whole number, 0 or more`},
		{args: "-switch=on", want: `-switch: "on" is not valid: use true or false`},
		{args: "-tm 3", want: `-tm: "3" is not valid: use a duration such as 500ms, 10s or 2m`},
		{args: "-word blue", want: `-word: "blue" is unknown: use red or green`},
		{args: `-word x":y`, want: `-word: "x\":y" is unknown: use red or green`},
		{env: map[string]string{"CLAWSONAR_NUMBER": "x"}, want: `environment variable CLAWSONAR_NUMBER: "x" is not valid: use a whole number, 0 or more`},
		{yaml: "\nnumber: x", want: `FILE:2: setting "number": "x" is not valid: use a whole number, 0 or more`},
		{yaml: "list:\n- a\n- [b]", want: `FILE:3: setting "list" takes one value`},
		{yaml: "text: {a: b}", want: `FILE:1: setting "text" takes one value`},
		{yaml: "text: &x a\nword: *x", want: `FILE:2: an alias, *x: write out what it stands for`},
		{yaml: "text:", want: `FILE:1: setting "text" takes one value`},
		{yaml: "a b", want: `FILE:1: settings are lines of the form "flag: value"`},
		// Settings that lose are looked at all the same, as to their names.
		{args: "-n 1", yaml: "nmber: 1", want: `FILE:1: unknown setting "nmber": did you mean "number"?: settings are the long names of flags, see -help`},
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
	t.Chdir(t.TempDir())
	const nowhere = "nowhere.yaml"
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
					t.Errorf("-%s is given twice", name)
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

// Ports that are named are the only ones: the helpers' are tried beside a gateway only
// without -ports, or when they were asked for.
func TestHelperFlags(t *testing.T) {
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args         string
		helpers, all bool
	}{
		{"", true, false},
		{"-p 18789", false, false},
		{"-helpers", true, true},
		{"-p 18789 -helpers", true, true},
	} {
		o := new(scanOptions)
		none := func(string) (string, bool) { return "", false }
		if _, err := o.flags().parse(strings.Fields(c.args), none, func() (string, bool) { return "nowhere.yaml", false }); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := o.prepare(t.Context(), streams{err: io.Discard}, known)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Helpers != c.helpers || cfg.AllHelpers != c.all {
			t.Errorf("%q: helpers %t, beside named ports %t", c.args, cfg.Helpers, cfg.AllHelpers)
		}
	}
}

// A configuration file that was not named may set these and nothing else; what
// decides is beside each flag. A new flag is not among them until it is added here.
func TestFoundConfig(t *testing.T) {
	may := map[string]string{ // to a value that is accepted
		"addresses": "ipv4", "concurrency": "100", "rate-limit": "5", "rate-limit-host": "5", "timeout": "1s", "retries": "0", "max-runtime": "1h",
		"level": "passive", "exclude": "10.0.0.0/8", "exclude-file": "own.txt",
		"format": "json", "lang": "zh", "view": "nvdb", "redact": "true", "verbose": "true", "no-color": "true",
		"fail-on": "high", "fail-on-incomplete": "true", "ignore": "own.txt", "baseline": "own.txt", "vex": "own.txt", "advisories": "all",
		"seed": "7", "jsonl": "true", "expect": "1", "stats": "true", "stats-interval": "1s", "vantage": "lan",
	}
	mayNot := map[string]string{ // values of those that are refused
		"concurrency": "101", "retries": "2", "level": "deep", "advisories": "../own.txt",
		"exclude-file": "../own.txt", "ignore": "link.txt", "baseline": "folder", "vex": "/etc/passwd",
	}
	t.Chdir(t.TempDir())
	outside := filepath.Join(t.TempDir(), "outside.txt")
	for _, file := range []string{"own.txt", outside} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, "link.txt"); err != nil {
		t.Skip(err)
	}
	none := func(string) (string, bool) { return "", false }
	set := func(name, value string, named bool) error {
		if err := os.WriteFile(defaultConfig, []byte("# settings\n"+name+": "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := new(scanOptions).flags().parse(nil, none, func() (string, bool) { return defaultConfig, named })
		return err
	}
	any := map[string]string{ // a value that is right
		"ports": "80", "base-path": "/claw", "allow": "10.0.0.0/8", "exclude-unresolved": "ok", "contact": "me@example.org",
		"target": "127.0.0.1", "wait": "1s", "severity": "high", "proxy": "http://127.0.0.1:3128", "source-ip": "127.0.0.1", "interface": "lo", "resolver": "127.0.0.1", "header": `"X-Scan: a"`,
		"output": "jsonl=x.jsonl", "shard": "1/2", "list": "x", "scope": "x", "as-file": "x", "redact-key": "x", "journal": "x", "resume": "x", "discover": "mdns",
	}
	for _, g := range new(scanOptions).flags().groups {
		for _, o := range g.flags {
			if o.why == "" {
				t.Errorf("-%s: nothing says whether a file that was not named may set it: call mayFind or mustName", o.long)
			}
			if value, ok := may[o.long]; ok {
				if err := set(o.long, value, false); err != nil {
					t.Errorf("%s: %s: %v", o.long, value, err)
				}
			}
			value, refused := mayNot[o.long]
			if _, ok := may[o.long]; !ok {
				if value, refused = any[o.long], true; value == "" {
					value = "true"
				}
			}
			if !refused || o.long == configFlag {
				continue
			}
			err := set(o.long, value, false)
			want := defaultConfig + ":2: setting \"" + o.long + "\" is not allowed in a file that was not named ("
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "): give -config "+defaultConfig+" to allow it") {
				t.Errorf("%s: %s: error %v", o.long, value, err)
			}
			if err := set(o.long, value, true); err != nil {
				t.Errorf("%s: %s in a file that was named: %v", o.long, value, err)
			}
		}
	}
}

// What is no plain file in the folder is not read as the default one, nor waited
// for.
func TestFoundConfigIsPlain(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(outside, []byte("level: passive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		put     func() error
		refused bool
	}{
		"plain":          {func() error { return os.WriteFile(defaultConfig, []byte("level: passive"), 0o600) }, false},
		"link inside":    {func() error { return errors.Join(os.WriteFile("x", nil, 0o600), os.Symlink("x", defaultConfig)) }, false},
		"link outside":   {func() error { return os.Symlink(outside, defaultConfig) }, true},
		"dangling link":  {func() error { return os.Symlink("nowhere", defaultConfig) }, true},
		"link to device": {func() error { return os.Symlink("/dev/zero", defaultConfig) }, true},
		"folder":         {func() error { return os.Mkdir(defaultConfig, 0o700) }, true},
		"too long":       {func() error { return os.WriteFile(defaultConfig, make([]byte, bounded.MaxYAML+1), 0o600) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := c.put(); err != nil {
				t.Skip(err)
			}
			f := new(scanOptions).flags()
			_, err := f.parse(nil, func(string) (string, bool) { return "", false }, func() (string, bool) { return defaultConfig, false })
			if (err != nil) != c.refused || (f.foundConfig != "") == c.refused {
				t.Errorf("error %v, found %q", err, f.foundConfig)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "configuration file: "+defaultConfig) {
				t.Errorf("error %v", err)
			}
		})
	}
}
