//go:build linux

// Command captures records the real gateways of the lab into
// testdata/captures. It asks each for everything the fingerprint can ask for,
// and some more that later checks read, and writes down the answers: volatile
// values replaced, the maker's pages and scripts reduced to the facts a
// matcher can read.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/handshake"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/test/lab"
	"github.com/clawsonar/clawsonar/internal/wire"
)

func main() {
	out := flag.String("out", filepath.Join("testdata", "captures", "openclaw"), "folder to write to")
	only := flag.String("run", "", "record only instances whose name matches this regular expression")
	recordings := flag.String("recordings", "", "convert the recorded answers in this folder, as recordings.yaml says, and start nothing")
	told := flag.Bool("look", false, "used by the program itself: look at what stdin says")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	record := func() error { return run(ctx, *out, *only) }
	if *recordings != "" {
		record = func() error {
			return convert(*recordings, filepath.Join("internal", "tools", "captures", "recordings.yaml"), filepath.Dir(*out))
		}
	}
	if *told {
		record = func() error { return lookHere(ctx) }
	}
	if err := record(); err != nil {
		fmt.Fprintln(os.Stderr, "captures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("flag -run: %w", err)
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		return err
	}
	l, err := lab.Open(ctx, filepath.Join(root, ".cache", "lab"))
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "clawsonar-captures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	n, err := lab.NewNet()
	if err != nil {
		return err
	}
	defer n.Close()
	surfaces, _, err := lab.SurfaceMatrix(work)
	if err != nil {
		return err
	}
	// A gateway takes most of a gigabyte, so one matrix is recorded after the
	// other.
	found := 0
	for _, matrix := range [][]lab.Instance{lab.Matrix(), lab.Forks(), surfaces, seenFromElsewhere(n), lab.DeepMatrix(n)} {
		matrix = slices.DeleteFunc(matrix, func(i lab.Instance) bool { return !wanted.MatchString(i.Name) })
		found += len(matrix)
		if err := recordAll(ctx, l, n, matrix, work, filepath.Join(root, out)); err != nil {
			return err
		}
	}
	if wanted.MatchString("helpers") {
		found++
		if err := recordHelpers(ctx, l, work, filepath.Join(root, filepath.Dir(out))); err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("flag -run: no instance is called like %s", only)
	}
	return nil
}

// seenFromElsewhere are the instances of the remote matrix of which there is no
// like over loopback.
func seenFromElsewhere(n *lab.Net) []lab.Instance {
	return slices.DeleteFunc(lab.RemoteMatrix(n), func(i lab.Instance) bool {
		return i.Front != lab.NginxUpgradeFront && i.Front != lab.NginxTokenFront
	})
}

func recordAll(ctx context.Context, l *lab.Lab, n *lab.Net, instances []lab.Instance, work, out string) error {
	running, stopAll, err := l.StartMatrix(ctx, filepath.Join(work, "run"), instances, 2)
	if err != nil {
		return err
	}
	defer stopAll()
	for _, r := range running {
		c, err := record(ctx, n, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		if err := write(filepath.Join(out, r.Name+".yaml"), c, work); err != nil {
			return err
		}
	}
	return nil
}

// write puts a capture into its file.
func write(path string, c evidence.Capture, work string) error {
	var file bytes.Buffer
	enc := yaml.NewEncoder(&file)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fmt.Printf("%-60s %d answers\n", filepath.Base(path), len(c.Exchanges))
	return results.Replace(path, scrub(file.Bytes(), work))
}

// extra are requests that no rule makes today; what they show is recorded for
// the replica and for the checks to come.
func extra(base string) []evidence.Request {
	var out []evidence.Request
	for _, r := range []struct{ id, path string }{
		{"health", "/health"}, {"ready", "/readyz"},
		{"favicon", base + "/favicon.ico"}, {"manifest", base + "/manifest.webmanifest"},
		{"nothing-there", base + "/nothing-there"},
	} {
		out = append(out, evidence.Request{ID: r.id, Method: "GET", Path: r.path, MaxBody: 256 << 10})
	}
	return out
}

// look is what a recorder is told about one instance; it may do its work in
// another process, in a network namespace of its own.
type look struct {
	URL     string
	Product string
	Deep    bool // continue at level deep, as the scanner would
}

// answers are what it brings back.
type answers struct {
	TLS       *evidence.TLSInfo
	Exchanges []evidence.CapturedExchange
}

// record looks at an instance and makes a capture of it.
func record(ctx context.Context, n *lab.Net, r lab.Running) (evidence.Capture, error) {
	l := look{Product: "openclaw", URL: r.URL, Deep: strings.HasSuffix(r.Name, "-deep")}
	t, err := parse(l)
	if err != nil {
		return evidence.Capture{}, err
	}
	var got answers
	var reach event.Reach
	if r.Instance.Gateway.Net != nil {
		reach = event.ReachReserved
		got, err = lookFrom(n.Viewer, l)
	} else {
		got, err = ask(ctx, l)
	}
	if err != nil {
		return evidence.Capture{}, err
	}
	c := evidence.Capture{
		Made: "recorded", Date: time.Now().UTC().Format(time.DateOnly),
		Program: r.Instance.Gateway.Package + " " + r.Truth.Release,
		Mode:    string(r.Instance.Gateway.Mode), Front: string(r.Front), Base: t.Base,
		Comment: r.Comment, Host: r.Host, Reach: reach,
		Expect: evidence.Expectation{
			Product: r.Truth.Product, Brand: r.Truth.Brand, Candidates: r.Truth.Candidates,
			Auth: r.Truth.AuthState, Front: r.Truth.Front, Findings: slices.Sorted(slices.Values(r.Truth.Findings)),
		},
		TLS: got.TLS, Exchanges: got.Exchanges,
	}
	return c, nil
}

// lookFrom has this program look from a network namespace.
func lookFrom(n *lab.Namespace, l look) (answers, error) {
	self, err := os.Executable()
	if err != nil {
		return answers{}, err
	}
	told, err := yaml.Marshal(l)
	if err != nil {
		return answers{}, err
	}
	cmd := n.Command(self, "-look")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(told), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return answers{}, fmt.Errorf("look from another namespace: %w", err)
	}
	var got answers
	return got, yaml.Unmarshal(out, &got)
}

// lookHere does what lookFrom asks for.
func lookHere(ctx context.Context) error {
	told, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var l look
	if err := yaml.Unmarshal(told, &l); err != nil {
		return err
	}
	got, err := ask(ctx, l)
	if err != nil {
		return err
	}
	return yaml.NewEncoder(os.Stdout).Encode(got)
}

// ask makes every request of the plan, some more, and at level deep those that
// the scanner would make.
func ask(ctx context.Context, l look) (answers, error) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		return answers{}, err
	}
	t, err := parse(l)
	if err != nil {
		return answers{}, err
	}
	w := wire.New(wire.Options{Scope: target.NewScope(nil, nil, false), UserAgent: "clawsonar"})
	if t.Name != "" {
		t = t.WithAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	s := w.Open(ctx, t, 30*time.Second)
	defer s.Close()
	c := set.Open(s.Observation(), event.LevelStandard)
	var out answers
	more := c.Next
	if l.Product == "openclaw" {
		// All that the plan has, whether the scanner would ask for it or not, and
		// some more. The page comes first; with it the plan grows.
		more = func() (evidence.Request, bool) {
			all := append(c.Plan(l.Product), extra(t.Base)...)
			at := slices.IndexFunc(all, func(r evidence.Request) bool { return c.Exchange(r.ID) == nil })
			if at < 0 {
				return evidence.Request{}, false
			}
			return all[at], true
		}
	}
	converse := func(s *wire.Session, c *fingerprint.Case, next func() (evidence.Request, bool)) error {
		for req, ok := next(); ok; req, ok = next() {
			if !s.Converse(req, reply(req)) {
				return fmt.Errorf("no answer to %s: %s", req.ID, c.Err)
			}
			if !slices.ContainsFunc(out.Exchanges, func(x evidence.CapturedExchange) bool { return x.ID == req.ID }) {
				out.add(c.Observation, req) // before secrets are dropped
			}
			c.Take()
		}
		return nil
	}
	if err := converse(s, c, more); err != nil {
		return answers{}, err
	}
	if t.Scheme == "https" {
		s.Legacy()
	}
	out.TLS = c.TLS
	if !l.Deep {
		return out, nil
	}
	deep := w.Open(ctx, t, 30*time.Second)
	defer deep.Close()
	further := set.Open(deep.Observation(), event.LevelDeep)
	return out, converse(deep, further, further.Next)
}

func reply(req evidence.Request) wire.Reply {
	if req.Reply == "" {
		return nil
	}
	return func(first []byte) ([]byte, error) { return handshake.Message(req.Reply, first) }
}

// add reduces and keeps the exchange that has just been made.
func (a *answers) add(o *evidence.Observation, req evidence.Request) {
	x := reduce(&o.Exchanges[len(o.Exchanges)-1])
	x.WebSocket, x.Reply = req.WebSocket, req.Reply
	a.Exchanges = append(a.Exchanges, x)
}

func parse(l look) (target.Target, error) {
	spec, err := target.Parse(l.URL, "lab", nil)
	if err != nil {
		return target.Target{}, err
	}
	var space target.Space
	if err := space.Add(spec); err != nil {
		return target.Target{}, err
	}
	return space.At(0)
}
