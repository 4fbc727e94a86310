package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/projectdiscovery/goflags"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
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

type option struct{ long, short, arg, usage, def string }

func newFlags(name string) *flags {
	f := &flags{set: goflags.NewFlagSet(), shorts: map[string]string{}, multi: map[string]bool{}}
	f.set.CommandLine.Init(name, flag.ContinueOnError)
	f.set.CommandLine.SetOutput(io.Discard)
	f.set.CommandLine.Usage = func() {}
	f.set.SetConfigFilePath(os.DevNull)
	return f
}

func (f *flags) group(title string) { f.groups = append(f.groups, group{title: title}) }

func (f *flags) add(o option) {
	if o.short != "" {
		f.shorts[o.short] = o.long
	}
	g := &f.groups[len(f.groups)-1]
	g.flags = append(g.flags, o)
}

func (f *flags) str(p *string, long, short, arg, def, usage string) {
	f.set.StringVarP(p, long, short, def, usage)
	f.add(option{long, short, arg, usage, def})
}

func (f *flags) integer(p *int, long, short string, def int, usage string) {
	f.set.IntVarP(p, long, short, def, usage)
	f.add(option{long, short, "N", usage, fmt.Sprint(def)})
}

func (f *flags) boolean(p *bool, long, short, usage string) {
	f.set.BoolVarP(p, long, short, false, usage)
	f.add(option{long, short, "", usage, ""})
}

func (f *flags) duration(p *time.Duration, long, short string, def time.Duration, usage string) {
	*p = def
	f.set.VarP((*durationValue)(p), long, short, usage)
	text := def.String()
	if def == 0 {
		text = ""
	}
	f.add(option{long, short, "DURATION", usage, text})
}

func (f *flags) list(p *[]string, long, short, arg, usage string) {
	f.set.VarP((*listValue)(p), long, short, usage)
	f.multi[long] = true
	f.add(option{long, short, arg, usage, ""})
}

// durationValue is a time.Duration that must be positive.
type durationValue time.Duration

func (d *durationValue) String() string { return time.Duration(*d).String() }

func (d *durationValue) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		return errors.New("use a duration such as 500ms, 10s or 2m")
	}
	*d = durationValue(v)
	return nil
}

// listValue collects the values of a flag that may be repeated.
type listValue []string

func (l *listValue) String() string { return strings.Join(*l, ",") }

func (l *listValue) Set(s string) error {
	*l = append(*l, s)
	return nil
}

var errHelp = flag.ErrHelp

// parse reads the arguments, flags and others in any order, then fills in what
// no flag named: from the environment, then from the configuration file. It
// returns the arguments that are not flags.
func (f *flags) parse(args []string, getenv func(string) (string, bool), config func() (string, bool)) ([]string, error) {
	var rest []string
	cl := f.set.CommandLine
	for {
		if err := cl.Parse(args); err != nil {
			return nil, f.explain(err)
		}
		consumed := len(args) - cl.NArg()
		if consumed > 0 && args[consumed-1] == "--" || cl.NArg() == 0 {
			rest = append(rest, cl.Args()...)
			break
		}
		rest = append(rest, cl.Arg(0))
		args = cl.Args()[1:]
	}
	given := map[string]bool{}
	cl.Visit(func(fl *flag.Flag) { given[f.long(fl.Name)] = true })
	for _, g := range f.groups {
		for _, o := range g.flags {
			name := "CLAWSONAR_" + strings.ToUpper(strings.ReplaceAll(o.long, "-", "_"))
			text, ok := getenv(name)
			if !ok || given[o.long] {
				continue
			}
			given[o.long] = true
			values := []string{text}
			if f.multi[o.long] {
				values = strings.Split(text, ",")
			}
			for _, v := range values {
				if err := cl.Set(o.long, v); err != nil {
					return nil, fmt.Errorf("environment variable %s: %w", name, plain(err))
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

// merge sets what is not given yet from a YAML file: keys are the flags' long
// names, an unknown key or bad value is an error with its line.
func (f *flags) merge(file string, required bool, given map[string]bool) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return fmt.Errorf("%s: %s", file, oneLine(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	if len(root.Content) == 0 {
		return nil // an empty file
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: a configuration is a list of \"flag: value\" lines", file, top.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if !f.known(key.Value) {
			return fmt.Errorf("%s:%d: unknown setting %q: settings are the long names of flags, see -help", file, key.Line, key.Value)
		}
		if seen[key.Value] {
			return fmt.Errorf("%s:%d: setting %q is there twice", file, key.Line, key.Value)
		}
		seen[key.Value] = true
		values := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode && f.multi[key.Value] {
			values = value.Content
		}
		for _, v := range values {
			if v.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s:%d: setting %q takes one value", file, v.Line, key.Value)
			}
			if given[key.Value] {
				continue
			}
			if err := f.set.CommandLine.Set(key.Value, v.Value); err != nil {
				return fmt.Errorf("%s:%d: setting %q: %w", file, v.Line, key.Value, plain(err))
			}
		}
	}
	return nil
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

// explain rewords the flag package's errors: what, and what to do.
func (f *flags) explain(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errHelp
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return fmt.Errorf("unknown flag %s: see \"clawsonar %s -help\"", name, f.set.CommandLine.Name())
	}
	return plain(err)
}

// plain words the flag package's "parse error" for people.
func plain(err error) error {
	text := err.Error()
	if head, ok := strings.CutSuffix(text, ": parse error"); ok {
		text = head + ": a number (or true/false) is expected"
	}
	if head, ok := strings.CutSuffix(text, ": value out of range"); ok {
		text = head + ": the number is too large"
	}
	return errors.New(oneLine(text))
}

// oneLine puts a text of several lines on one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

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
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.Short
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  %s\n", text, cmd.UseLine())
		if cmd.Example != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "\nExamples:\n%s\n", cmd.Example)
		}
		fmt.Fprint(cmd.OutOrStdout(), f.help())
	})
	cmd.ValidArgsFunction = func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if !strings.HasPrefix(toComplete, "-") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var out []string
		f.set.CommandLine.VisitAll(func(fl *flag.Flag) {
			if name := "-" + fl.Name; strings.HasPrefix(name, toComplete) {
				out = append(out, name+"\t"+fl.Usage)
			}
		})
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
