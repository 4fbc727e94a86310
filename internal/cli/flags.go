package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/projectdiscovery/goflags"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// flags is one command's set of flags. goflags holds and parses them; what its
// own Parse does besides (it writes to the user's configuration folders, exits
// the process, re-reads os.Args, prefers a file to a flag) is left out, and
// done here: help, environment, strict YAML.
type flags struct {
	set    *goflags.FlagSet
	groups []group
	shorts map[string]string // short name → long name
	multi  map[string]bool   // long names that may be given several times

	all    map[*cobra.Command]*flags // those of every command
	silent *bool                     // nil, or whether warnings are not wanted
	noArgs bool                      // the command takes flags only

	config      func() (file string, named bool) // nil, or which configuration file to read
	foundConfig string                           // the one that was read although it was not named
}

type group struct {
	title string
	flags []*option
}

type option struct {
	long, short, arg, usage, def string

	alias string   // another short name, used by similar tools
	least int      // of a whole number
	words []string // the values it takes, if they are few

	// Whether a configuration file that was not named may set it: anyone may have put
	// that there, so only what cannot widen what is contacted or written. why is the
	// reason; check, unless nil, accepts values.
	found bool
	why   string
	check func(value string) error
}

// optional reports whether the flag may be given without its value, which then stands
// behind a "=".
func (o *option) optional() bool { return strings.HasPrefix(o.arg, "[=") }

// mayFind allows a file that was only found to set the option, to values that check,
// if there is one, accepts.
func (o *option) mayFind(why string, check ...func(string) error) {
	o.found, o.why = true, why
	if len(check) > 0 {
		o.check = check[0]
	}
}

// mustName says why only a file that the user names may set the option. It is the
// default.
func (o *option) mustName(why string) { o.found, o.why = false, why }

// fromFound returns why a file that was only found may not set that value, or nil.
func (o *option) fromFound(value string) error {
	switch {
	case !o.found:
		return errors.New(o.why)
	case o.check != nil:
		return o.check(value)
	}
	return nil
}

// atMost accepts whole numbers up to most.
func atMost(most int) func(string) error {
	return func(s string) error {
		if n, err := strconv.Atoi(s); err == nil && n > most {
			return fmt.Errorf("more than %d", most)
		}
		return nil
	}
}

// within accepts the name of a file in the working folder.
func within(s string) error {
	if !filepath.IsLocal(s) {
		return errors.New("a file outside this folder")
	}
	folder, err := os.OpenRoot(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	// It does not follow links that lead out of the folder.
	if info, err := folder.Stat(s); err == nil && !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.New("a file outside this folder")
	}
	return nil
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

func (f *flags) add(o option, set func(string) error) *option {
	f.set.VarP(setter{set, o.arg == "" || o.optional()}, o.long, o.short, o.usage)
	if o.short != "" {
		f.shorts[o.short] = o.long
	}
	g := &f.groups[len(f.groups)-1]
	g.flags = append(g.flags, &o)
	return &o
}

// text adds a flag that takes any text that check, unless nil, accepts.
func (f *flags) text(p *string, long, short, arg, usage string, check func(string) error) *option {
	return f.add(option{long: long, short: short, arg: arg, usage: usage}, func(s string) error {
		if check != nil {
			if err := check(s); err != nil {
				return err
			}
		}
		*p = s
		return nil
	})
}

// choice adds a flag that takes one of words.
func (f *flags) choice(p *string, long, short, arg, def, usage string, words []string) *option {
	o := f.text(p, long, short, arg, usage, func(s string) error {
		if !slices.Contains(words, s) {
			last := len(words) - 1
			return fmt.Errorf("%q is unknown: use %s or %s", s, strings.Join(words[:last], ", "), words[last])
		}
		return nil
	})
	*p, o.def, o.words = def, def, words
	return o
}

// integer adds a flag that takes a whole number from least on.
func (f *flags) integer(p *int, long, short string, def, least int, usage string) *option {
	*p = def
	return f.add(option{long: long, short: short, arg: "N", usage: usage, def: strconv.Itoa(def), least: least}, func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			return fmt.Errorf("%q is not valid: use a whole number, %d or more", s, least)
		}
		*p = n
		return nil
	})
}

func (f *flags) boolean(p *bool, long, short, usage string) *option {
	return f.add(option{long: long, short: short, usage: usage}, func(s string) (err error) {
		*p, err = truth(s)
		return err
	})
}

// shorthand adds a flag without a value that stands for another with one.
func (f *flags) shorthand(p *string, word, long, short, usage string) *option {
	return f.add(option{long: long, short: short, usage: usage}, func(s string) error {
		on, err := truth(s)
		if on {
			*p = word
		}
		return err
	})
}

// duration adds a flag that takes a positive duration; def 0 means none.
func (f *flags) duration(p *time.Duration, long, short string, def time.Duration, usage string) *option {
	*p = def
	o := option{long: long, short: short, arg: "DURATION", usage: usage}
	if def != 0 {
		o.def = def.String()
	}
	return f.add(o, func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not valid: use a duration such as 500ms, 10s or 2m", s)
		}
		*p = d
		return nil
	})
}

// list adds a flag that may be given several times.
func (f *flags) list(p *[]string, long, short, arg, usage string, check func(string) error) *option {
	f.multi[long] = true
	return f.add(option{long: long, short: short, arg: arg, usage: usage}, func(s string) error {
		if err := check(s); err != nil {
			return err
		}
		*p = append(*p, s)
		return nil
	})
}

// alias gives the flag that was added last another short name.
func (f *flags) alias(name string) {
	g := f.groups[len(f.groups)-1]
	o := g.flags[len(g.flags)-1]
	o.alias = name
	f.shorts[name] = o.long
	f.set.CommandLine.Var(f.set.CommandLine.Lookup(o.long).Value, name, o.usage)
}

// setter is the value of a flag. It checks what it is given at once, so that the
// error can name the flag, variable or line that it came from.
type setter struct {
	set  func(string) error
	bare bool // it needs no value
}

func (v setter) String() string     { return "" }
func (v setter) Set(s string) error { return v.set(s) }
func (v setter) IsBoolFlag() bool   { return v.bare }

// checked accepts what parse reads without an error.
func checked[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

// truth reads the value of a flag that needs none.
func truth(s string) (bool, error) {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q is not valid: use true or false", s)
	}
	return on, nil
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
	for o := range f.every {
		name := variable(o.long)
		text, _ := getenv(name)
		// Empty is the same as not set: CI systems pass on variables without a
		// value so.
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
	if config == nil {
		return rest, nil
	}
	file, required := config()
	return rest, f.merge(file, required, given)
}

const envPrefix = "CLAWSONAR_"

// variable is the environment variable of a setting.
func variable(long string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(long, "-", "_"))
}

// width returns how many arguments a flag takes, including itself.
func (f *flags) width(arg string) int {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	fl := f.set.CommandLine.Lookup(name)
	if fl == nil {
		return 1 // unknown, or with its value behind a "="
	}
	if b, ok := fl.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return 1
	}
	return 2
}

// readConfig reads a configuration file. One that was only found must be a regular
// file in the working folder; nil if there is none.
func readConfig(file string, named bool) ([]byte, error) {
	if named {
		return bounded.File(file, bounded.MaxYAML)
	}
	folder, err := os.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if _, err := folder.Lstat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	// Opening a pipe would block. A link that leads out of the folder is an error.
	info, err := folder.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file in this folder: remove it, or give -config %[1]s to allow it", file)
	}
	return bounded.FS{FS: folder.FS(), Limit: bounded.MaxYAML}.ReadFile(file)
}

// merge sets what is not given yet from a YAML file: keys are the flags' long
// names, an unknown key or bad value is an error with its line. A file that was not
// named may set only what is marked so.
func (f *flags) merge(file string, named bool, given map[string]bool) error {
	data, err := readConfig(file, named)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	if data == nil {
		return nil
	}
	if !named {
		f.foundConfig = file
	}
	top, err := mapping(file, data)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top); i += 2 {
		key, value := top[i], top[i+1]
		name := key.Value
		fail := func(n *yaml.Node, format string, args ...any) error {
			return &strict.Error{File: file, Line: n.Line, Err: fmt.Errorf(format, args...)}
		}
		switch {
		case name == configFlag:
			return fail(key, "setting %q names another file: put its settings here", name)
		case f.option(name) == nil:
			return fail(key, "unknown setting %q%s: settings are the long names of flags, see -help", name, suggest.DidYouMean(name, f.names()))
		case seen[name]:
			return fail(key, "setting %q is given twice", name)
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
			if !named {
				if err := f.option(name).fromFound(v.Value); err != nil {
					return fail(v, "setting %q is not allowed in a file that was not named (%w): give -config %s to allow it", name, err, file)
				}
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

// mapping reads a file that is a mapping, and returns its keys and values in turn.
func mapping(file string, data []byte) ([]*yaml.Node, error) {
	var root yaml.Node
	if err := strict.YAML(file, data, &root); err != nil {
		return nil, err
	}
	if !root.IsZero() && root.Tag != "!!null" && root.Kind != yaml.MappingNode {
		return nil, &strict.Error{File: file, Line: root.Line, Err: errors.New("settings are lines of the form \"flag: value\"")}
	}
	return root.Content, nil
}

// every yields all flags in the order in which help shows them.
func (f *flags) every(yield func(*option) bool) {
	for _, g := range f.groups {
		for _, o := range g.flags {
			if !yield(o) {
				return
			}
		}
	}
}

// option returns the flag of that long name, or nil.
func (f *flags) option(long string) *option {
	for o := range f.every {
		if o.long == long {
			return o
		}
	}
	return nil
}

// names returns the long names of all flags.
func (f *flags) names() []string {
	var out []string
	for o := range f.every {
		out = append(out, o.long)
	}
	return out
}

func (f *flags) long(name string) string {
	if long, ok := f.shorts[name]; ok {
		return long
	}
	return name
}

// refused matches the flag package's error about a value.
var refused = regexp.MustCompile(`^invalid (?:boolean )?value ".*" for (?:flag )?(-\S+): (.*)$`)

// explain rewords the flag package's errors: what is wrong and what to do.
func (f *flags) explain(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errHelp
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		return fmt.Errorf("unknown flag %s%s: see \"clawsonar %s -help\"", name, suggest.DidYouMean(strings.TrimLeft(name, "-"), f.names()), f.set.CommandLine.Name())
	}
	if m := refused.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: %s", m[1], m[2])
	}
	return errors.New(text)
}

// helpWidth is how wide help is at most, in columns.
const helpWidth = 80

// help returns the description of all flags, group by group: names in a column,
// what they mean beside it, or below a name that is too long for the column.
func (f *flags) help() string {
	const column = 26 // where the meaning begins
	var b strings.Builder
	for _, g := range f.groups {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, o := range g.flags {
			name := "  " + o.synopsis()
			b.WriteString(name)
			if len(name) > column-2 {
				b.WriteString("\n" + strings.Repeat(" ", column))
			} else {
				b.WriteString(strings.Repeat(" ", column-len(name)))
			}
			for i, line := range report.Wrap(o.meaning(), helpWidth-column) {
				if i > 0 {
					b.WriteString(strings.Repeat(" ", column))
				}
				b.WriteString(line + "\n")
			}
		}
	}
	return b.String()
}

// synopsis is a flag as it is given: "-l, -list FILE".
func (o *option) synopsis() string {
	name := "-" + o.long
	for _, s := range []string{o.alias, o.short} {
		if s != "" {
			name = "-" + s + ", " + name
		}
	}
	if o.optional() {
		return name + o.arg
	}
	return strings.TrimSpace(name + " " + o.arg)
}

// meaning says what a flag does, and its default.
func (o *option) meaning() string {
	if o.def == "" {
		return o.usage
	}
	return o.usage + " (default " + o.def + ")"
}

// attach gives a cobra command these flags, and run, which gets the arguments that
// are not flags. Cobra passes all arguments on; parsing, help and completion come
// from here.
func (f *flags) attach(s streams, cmd *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	s.sets[cmd], f.all = f, s.sets
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
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		args, err := f.parse(args, os.LookupEnv, f.config)
		switch {
		case errors.Is(err, errHelp):
			return cmd.Help()
		case err != nil:
			return usage(err)
		case f.silent == nil || !*f.silent:
			for _, warning := range unknownEnv(f.all, os.Environ()) {
				fmt.Fprintf(cmd.ErrOrStderr(), "clawsonar: %s\n", clean.Text(warning))
			}
		}
		if f.noArgs && len(args) > 0 {
			name := f.set.CommandLine.Name()
			return usage(fmt.Errorf("%s takes no argument: see \"clawsonar %s -help\"", name, name))
		}
		return run(cmd.Context(), args)
	}
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
	return cmd
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
	if o := f.option(f.long(strings.TrimPrefix(name, "-"))); o != nil {
		return o.words
	}
	return nil
}
