package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/projectdiscovery/goflags"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// flags is one command's set of flags. goflags holds and parses them; what its
// own Parse does besides (it writes to the user's configuration folders, exits
// the process, re-reads os.Args, lets a file win over a flag) is left out, and
// done here: help, environment, strict YAML.
type flags struct {
	set    *goflags.FlagSet
	groups []group
	shorts map[string]string // short name → long name
	multi  map[string]bool   // long names that may be given several times
}

type group struct {
	title string
	flags []option
}

type option struct {
	long, short, arg, usage, def string

	words []string // the values it takes, if they are few
}

func newFlags(name string) *flags {
	f := &flags{set: goflags.NewFlagSet(), shorts: map[string]string{}, multi: map[string]bool{}}
	f.set.CommandLine.Init(name, flag.ContinueOnError)
	f.set.CommandLine.SetOutput(io.Discard)
	f.set.CommandLine.Usage = func() {}
	f.set.SetConfigFilePath(os.DevNull)
	return f
}

func (f *flags) group(title string) { f.groups = append(f.groups, group{title: title}) }

func (f *flags) add(v flag.Value, o option) {
	f.set.VarP(v, o.long, o.short, o.usage)
	if o.short != "" {
		f.shorts[o.short] = o.long
	}
	g := &f.groups[len(f.groups)-1]
	g.flags = append(g.flags, o)
}

// text adds a flag that takes any text that check, unless it is nil, accepts.
func (f *flags) text(p *string, long, short, arg, usage string, check func(string) error) {
	f.add(&textValue{p, check}, option{long: long, short: short, arg: arg, usage: usage})
}

// choice adds a flag that takes one of words.
func (f *flags) choice(p *string, long, short, arg, def, usage string, words []string) {
	*p = def
	check := func(s string) error {
		if !slices.Contains(words, s) {
			last := len(words) - 1
			return fmt.Errorf("%q is unknown: use %s or %s", s, strings.Join(words[:last], ", "), words[last])
		}
		return nil
	}
	f.add(&textValue{p, check}, option{long, short, arg, usage, def, words})
}

// integer adds a flag that takes a whole number from least on.
func (f *flags) integer(p *int, long, short string, def, least int, usage string) {
	*p = def
	f.add(&intValue{p, least}, option{long: long, short: short, arg: "N", usage: usage, def: strconv.Itoa(def)})
}

func (f *flags) boolean(p *bool, long, short, usage string) {
	f.add((*boolValue)(p), option{long: long, short: short, usage: usage})
}

// duration adds a flag that takes a positive duration; def 0 means none.
func (f *flags) duration(p *time.Duration, long, short string, def time.Duration, usage string) {
	*p = def
	o := option{long: long, short: short, arg: "DURATION", usage: usage}
	if def != 0 {
		o.def = def.String()
	}
	f.add((*durationValue)(p), o)
}

// list adds a flag that may be given several times.
func (f *flags) list(p *[]string, long, short, arg, usage string, check func(string) error) {
	f.multi[long] = true
	f.add(&listValue{p, check}, option{long: long, short: short, arg: arg, usage: usage})
}

// The values check what they are given at once, so that the error can name the
// flag, variable or line that it came from.

type textValue struct {
	p     *string
	check func(string) error
}

func (v *textValue) String() string { return "" }

func (v *textValue) Set(s string) error {
	if v.check != nil {
		if err := v.check(s); err != nil {
			return err
		}
	}
	*v.p = s
	return nil
}

type intValue struct {
	p     *int
	least int
}

func (v *intValue) String() string { return "" }

func (v *intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.least {
		return fmt.Errorf("%q does not fit: use a whole number from %d on", s, v.least)
	}
	*v.p = n
	return nil
}

type boolValue bool

func (v *boolValue) String() string   { return "" }
func (v *boolValue) IsBoolFlag() bool { return true }

func (v *boolValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q does not fit: use true or false", s)
	}
	*v = boolValue(b)
	return nil
}

type durationValue time.Duration

func (v *durationValue) String() string { return "" }

func (v *durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q does not fit: use a duration such as 500ms, 10s or 2m", s)
	}
	*v = durationValue(d)
	return nil
}

type listValue struct {
	p     *[]string
	check func(string) error
}

func (v *listValue) String() string { return "" }

func (v *listValue) Set(s string) error {
	if err := v.check(s); err != nil {
		return err
	}
	*v.p = append(*v.p, s)
	return nil
}

var errHelp = flag.ErrHelp

// parse reads the arguments, flags and others in any order, then fills in what
// no flag named: from the environment, then from the configuration file. It
// returns the arguments that are not flags.
func (f *flags) parse(args []string, getenv func(string) (string, bool), config func() (string, bool)) ([]string, error) {
	var rest []string
	cl := f.set.CommandLine
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			rest = append(rest, args[1:]...)
			break
		}
		if arg == "-" || !strings.HasPrefix(arg, "-") {
			rest, args = append(rest, arg), args[1:]
			continue
		}
		n := min(f.width(arg), len(args))
		if err := cl.Parse(args[:n]); err != nil {
			return nil, f.explain(err)
		}
		args = args[n:]
	}
	given := map[string]bool{}
	cl.Visit(func(fl *flag.Flag) { given[f.long(fl.Name)] = true })
	for _, g := range f.groups {
		for _, o := range g.flags {
			name := "CLAWSONAR_" + strings.ToUpper(strings.ReplaceAll(o.long, "-", "_"))
			text, _ := getenv(name)
			// Empty is as good as not set: that is how CI systems pass on a
			// variable that has no value.
			if text == "" || given[o.long] {
				continue
			}
			given[o.long] = true
			values := []string{text}
			if f.multi[o.long] {
				values = strings.Split(text, ",")
			}
			for _, v := range values {
				if err := cl.Set(o.long, v); err != nil {
					return nil, fmt.Errorf("environment variable %s: %w", name, err)
				}
			}
		}
	}
	if config == nil {
		return rest, nil
	}
	file, required := config()
	return rest, f.merge(file, required, given)
}

// width returns how many arguments a flag takes, itself included.
func (f *flags) width(arg string) int {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	fl := f.set.CommandLine.Lookup(name)
	if fl == nil {
		return 1 // unknown, or with its value behind a "="
	}
	if _, ok := fl.Value.(*boolValue); ok {
		return 1
	}
	return 2
}

// merge sets what is not given yet from a YAML file: keys are the flags' long
// names, an unknown key or bad value is an error with its line.
func (f *flags) merge(file string, required bool, given map[string]bool) error {
	data, err := bounded.File(file, bounded.MaxYAML)
	if errors.Is(err, os.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	top, err := mapping(data)
	if err != nil {
		return fmt.Errorf("%s:%w", file, err)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top); i += 2 {
		key, value := top[i], top[i+1]
		name := key.Value
		fail := func(n *yaml.Node, format string, args ...any) error {
			return fmt.Errorf("%s:%d: %w", file, n.Line, fmt.Errorf(format, args...))
		}
		switch {
		case name == configFlag:
			return fail(key, "setting %q names another file: put its settings here", name)
		case !f.known(name):
			return fail(key, "unknown setting %q: settings are the long names of flags, see -help", name)
		case seen[name]:
			return fail(key, "setting %q is there twice", name)
		}
		seen[name] = true
		values := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode && f.multi[name] {
			values = value.Content
		}
		for _, v := range values {
			if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
				return fail(v, "setting %q takes one value", name)
			}
			if given[name] {
				continue
			}
			if err := f.set.CommandLine.Set(name, v.Value); err != nil {
				return fail(v, "setting %q: %w", name, err)
			}
		}
	}
	return nil
}

// mapping reads a file of one YAML document, which is a mapping, and returns
// its keys and values in turn. The error begins with the line.
func mapping(data []byte) ([]*yaml.Node, error) {
	if line, err := bounded.YAML(data); err != nil {
		return nil, fmt.Errorf("%d: %w", max(line, 1), err)
	}
	var root, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil, nil // nothing, or comments only
	}
	if err == nil {
		err = dec.Decode(&more)
		if err == nil {
			return nil, fmt.Errorf("%d: a second document begins: settings are one document", more.Line)
		}
	}
	var load *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF):
	case errors.As(err, &load) && load.Mark.Line > 0:
		return nil, fmt.Errorf("%d: %s", load.Mark.Line, load.Message)
	default:
		return nil, fmt.Errorf(" %w", err)
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return nil, nil
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%d: settings are lines of the form \"flag: value\"", top.Line)
	}
	return top.Content, nil
}

func (f *flags) known(long string) bool {
	return slices.ContainsFunc(f.groups, func(g group) bool {
		return slices.ContainsFunc(g.flags, func(o option) bool { return o.long == long })
	})
}

func (f *flags) long(name string) string {
	if long, ok := f.shorts[name]; ok {
		return long
	}
	return name
}

// refused matches what the flag package makes of an error of a value.
var refused = regexp.MustCompile(`^invalid (?:boolean )?value ".*" for (?:flag )?(-\S+): (.*)$`)

// explain rewords the flag package's errors: what, and what to do.
func (f *flags) explain(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errHelp
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return fmt.Errorf("unknown flag %s: see \"clawsonar %s -help\"", name, f.set.CommandLine.Name())
	}
	if m := refused.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: %s", m[1], m[2])
	}
	return errors.New(text)
}

// help returns the description of all flags, group by group.
func (f *flags) help() string {
	var b bytes.Buffer
	for _, g := range f.groups {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, o := range g.flags {
			name := "-" + o.long
			if o.short != "" {
				name = "-" + o.short + ", " + name
			}
			usage := o.usage
			if o.def != "" {
				usage += " (default " + o.def + ")"
			}
			fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace(name+" "+o.arg), usage)
		}
		w.Flush()
	}
	return b.String()
}

// attach gives a cobra command these flags: cobra passes all arguments on, and
// help and completion come from here.
func (f *flags) attach(cmd *cobra.Command) {
	cmd.DisableFlagParsing = true
	cmd.DisableFlagsInUseLine = true
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  %s\n", text, cmd.UseLine())
		if cmd.Example != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "\nExamples:\n%s\n", cmd.Example)
		}
		fmt.Fprint(cmd.OutOrStdout(), f.help())
	})
	arguments := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if strings.HasPrefix(toComplete, "-") {
			return f.complete(toComplete), cobra.ShellCompDirectiveNoFileComp
		}
		if len(args) > 0 {
			if words := f.words(args[len(args)-1]); words != nil {
				return words, cobra.ShellCompDirectiveNoFileComp
			}
		}
		if arguments != nil {
			return arguments(cmd, args, toComplete)
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// complete returns the flags that begin as toComplete does, which has one dash
// or two.
func (f *flags) complete(toComplete string) []string {
	dashes := "-"
	if strings.HasPrefix(toComplete, "--") {
		dashes = "--"
	}
	var out []string
	f.set.CommandLine.VisitAll(func(fl *flag.Flag) {
		if name := dashes + fl.Name; strings.HasPrefix(name, toComplete) {
			out = append(out, name+"\t"+fl.Usage)
		}
	})
	return out
}

// words returns the values that a flag takes, if they are few.
func (f *flags) words(arg string) []string {
	name, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return nil
	}
	name = f.long(strings.TrimPrefix(name, "-"))
	for _, g := range f.groups {
		for _, o := range g.flags {
			if o.long == name {
				return o.words
			}
		}
	}
	return nil
}
