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
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/lab"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

func main() {
	out := flag.String("out", filepath.Join("testdata", "captures", "openclaw"), "folder to write to")
	only := flag.String("run", "", "record only instances whose name matches this regular expression")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "captures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("flag -run: %w", err)
	}
	instances := slices.DeleteFunc(append(lab.Matrix(), lab.Forks()...), func(i lab.Instance) bool {
		return !wanted.MatchString(i.Name)
	})
	if len(instances) == 0 {
		return fmt.Errorf("flag -run: no instance is called like %s", only)
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
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		return err
	}
	running, stopAll, err := l.StartMatrix(ctx, work, instances, 2)
	if err != nil {
		return err
	}
	defer stopAll()
	for _, r := range running {
		c, err := record(ctx, set, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		var file bytes.Buffer
		enc := yaml.NewEncoder(&file)
		enc.SetIndent(2)
		if err := enc.Encode(c); err != nil {
			return err
		}
		text := scrub(file.Bytes(), work)
		if err := os.WriteFile(filepath.Join(root, out, r.Name+".yaml"), text, 0o644); err != nil {
			return err
		}
		fmt.Printf("%-36s %d answers\n", r.Name, len(c.Exchanges))
	}
	return nil
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

func record(ctx context.Context, set *fingerprint.Set, r lab.Running) (evidence.Capture, error) {
	t, err := parse(r)
	if err != nil {
		return evidence.Capture{}, err
	}
	w := wire.New(wire.Options{Scope: target.NewScope(nil, nil, false), UserAgent: "clawsonar"})
	s := w.Open(ctx, t, 30*time.Second)
	defer s.Close()
	for _, req := range append(set.Plan("openclaw", t.Base), extra(t.Base)...) {
		if !s.Do(req) {
			return evidence.Capture{}, fmt.Errorf("no answer to %s: %s", req.ID, s.Observation().Err)
		}
	}
	o := s.Observation()
	c := evidence.Capture{
		Made: "recorded", Date: time.Now().UTC().Format(time.DateOnly),
		Program: r.Instance.Gateway.Package + " " + r.Truth.Release,
		Mode:    string(r.Instance.Gateway.Mode), Front: string(r.Front), Base: t.Base,
		Comment: r.Comment,
		Expect: evidence.Expectation{
			Product: r.Truth.Product, Brand: r.Truth.Brand, Candidates: r.Truth.Candidates,
			Auth: r.Truth.AuthState, Front: r.Truth.Front,
		},
		TLS: o.TLS,
	}
	for i := range o.Exchanges {
		c.Exchanges = append(c.Exchanges, reduce(&o.Exchanges[i]))
	}
	return c, nil
}

func parse(r lab.Running) (target.Target, error) {
	spec, err := target.Parse(r.URL, "lab", nil)
	if err != nil {
		return target.Target{}, err
	}
	spec.Base = r.Instance.Gateway.BasePath
	var space target.Space
	if err := space.Add(spec); err != nil {
		return target.Target{}, err
	}
	return space.At(0)
}
