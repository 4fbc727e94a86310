package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/geo"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/alert"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/machine"
	"github.com/clawsonar/clawsonar/internal/hub/queue"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/watch"
	"github.com/clawsonar/clawsonar/internal/hub/web"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/version"
)

// hubName is the name of the program in streams and reports.
const hubName = "clawsonar-hub"

func newServe(s streams) *cobra.Command {
	var once bool
	return command(&cobra.Command{
		Use:   "serve [flags] [FILE]",
		Short: "Watch what watch.yaml lists, tell what changed, show it",
		Long: `Run the watches of FILE (default watch.yaml) at their times, send its alerts,
and show the history as pages. Without a watch.yaml this machine is watched.

A signal ends it in order: a run that is being made counts as incomplete. What workers
make goes on when it is started again.

Exit codes: 0 done · 1 failed while running · 2 configuration error; with -once also
4, a run was not complete or could not judge all that its watch names, and 130,
interrupted.`,
	}, 1, func(f *flag.FlagSet) {
		f.BoolVar(&once, "once", false, "make one run of each watch, send what is due, and end; show nothing")
	}, func(ctx context.Context, args []string) error {
		c, err := load(args)
		if err != nil {
			return err
		}
		if c.File == builtIn {
			s.say("there is no %s: this machine is watched", defaultConfig)
		}
		if once {
			return serveOnce(ctx, s, c)
		}
		return serve(ctx, s, c, nil)
	})
}

// hub is what serves a configuration.
type hub struct {
	s      streams
	c      *config.Config
	db     *store.Store
	runner *watch.Runner
	alerts *alert.Loop
	queue  *queue.Queue // nil: there are no workers
	broken atomic.Bool  // a run was not complete, or could not judge all that was named
}

// open makes the hub's parts. What it refuses is the user's to fix.
func open(ctx context.Context, s streams, c *config.Config) (h *hub, err error) {
	h = &hub{s: s, c: c}
	known, err := openData()
	if err != nil {
		return nil, err
	}
	files, err := geo.Open(c.Geo...)
	if err != nil {
		return nil, usage(c.GeoError(err))
	}
	if h.db, err = openStore(ctx, c); err != nil {
		return nil, err
	}
	h.runner = &watch.Runner{
		Dir: c.Streams, Store: h.db, Known: known, Checks: check.Infos(), Tool: event.Tool{Name: hubName, Version: version.String()},
		Geo: files, Now: time.Now, Say: h.sayOf,
	}
	for _, w := range c.Watches {
		if err := h.runner.Check(ctx, w); err != nil {
			h.db.Close()
			return nil, usage(err)
		}
	}
	h.alerts, err = alert.New(h.db, c, time.Now, s.err)
	if err != nil {
		h.db.Close()
		return nil, usage(err)
	}
	if err := h.runner.Open(); err != nil {
		h.db.Close()
		return nil, err
	}
	if err := h.openQueue(ctx); err != nil {
		h.close()
		return nil, err
	}
	// What an earlier process left is no run of this one.
	if err := h.runner.Adopt(ctx); err != nil && ctx.Err() == nil {
		s.say("%v", err)
	}
	h.runner.Applied = func(a store.Applied) {
		if !a.Run.Complete || a.Run.Unjudged > 0 {
			h.broken.Store(true)
		}
		h.alerts.Wake()
	}
	return h, nil
}

func (h *hub) close() {
	if h.queue != nil {
		h.queue.Close()
	}
	h.runner.Close()
	if err := h.db.Close(); err != nil {
		h.s.say("%v", err)
	}
}

func (h *hub) scheduler(run func(context.Context, *config.Watch) error) *watch.Scheduler {
	return &watch.Scheduler{
		Watches: h.c.Watches, Run: run, Last: h.db.LastComplete, Clock: watch.SystemClock(),
		Say: h.sayOf,
	}
}

// sayOf says a line about a watch.
func (h *hub) sayOf(watch, line string) { h.s.say("watch %s: %s", watch, line) }

// serve runs until ctx ends. Before, unless nil, is called before each run.
func serve(ctx context.Context, s streams, c *config.Config, before func() error) error {
	h, err := open(ctx, s, c)
	if err != nil {
		return err
	}
	defer h.close()
	var site *url.URL
	if c.URL != "" {
		if site, err = url.Parse(c.URL); err != nil {
			return usage(fmt.Errorf("url: %w", err))
		}
	}
	tokens, err := h.db.HaveTokens(ctx)
	if err != nil {
		return err
	}
	listening := access.Listening{Addr: c.Listen, TLS: c.TLS != nil, Proxy: c.BehindProxy, Tokens: tokens, OIDC: c.OIDC != nil, URL: site}
	if err := listening.Check(); err != nil {
		return usage(err)
	}
	handler, err := h.handler(ctx, site)
	if err != nil {
		return err
	}
	defer handler.Close()
	listener, err := listening.Listen(ctx)
	if err != nil {
		return err
	}
	server := handler.Server()
	if c.TLS != nil {
		if server.TLSConfig, err = access.TLS(c.TLS.Cert, c.TLS.Key, time.Now, h.log()); err != nil {
			listener.Close()
			return usage(err)
		}
	}
	address := "http://" + listener.Addr().String() + "/"
	if c.TLS != nil {
		address = "https" + address[4:]
	}
	if c.URL != "" {
		address = c.URL + "/"
	}
	s.say("%d watches, pages at %s", len(c.Watches), address)
	if h.queue != nil {
		s.say("workers connect to %s", c.Workers.URL)
	}
	if says := listening.Says(); says != "" {
		s.say("%s", says)
	}
	run := h.run
	if before != nil {
		run = func(ctx context.Context, w *config.Watch) error {
			return errors.Join(before(), h.run(ctx, w))
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		serve := func() error { return server.Serve(listener) }
		if c.TLS != nil {
			serve = func() error { return server.ServeTLS(listener, "", "") }
		}
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		// The exports that are under way get a moment.
		last, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer end()
		if server.Shutdown(last) != nil {
			server.Close()
		}
		return nil
	})
	group.Go(func() error {
		h.scheduler(run).Serve(ctx)
		return nil
	})
	group.Go(func() error { return h.runQueue(ctx) })
	group.Go(func() error {
		if err := h.alerts.Run(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	})
	return group.Wait()
}

func (h *hub) log() *slog.Logger { return slog.New(slog.NewTextHandler(h.s.err, nil)) }

// handler is all routes.
func (h *hub) handler(ctx context.Context, site *url.URL) (*access.Hub, error) {
	log := h.log()
	var watches []web.Watch
	var measured []machine.Watch
	for _, w := range h.c.Watches {
		for _, name := range w.Runs() {
			watches = append(watches, web.Watch{Name: name, Every: w.Every})
			measured = append(measured, machine.Watch{Name: name, Every: w.Every})
		}
	}
	advisories, err := h.runner.Known.Advisories()
	if err != nil {
		return nil, err
	}
	tool := event.Tool{Name: hubName, Version: version.String()}
	board, err := web.New(web.Config{
		Data: h.db, Tool: tool, Checks: check.Infos(), Watches: watches,
		Streams: h.c.Streams, URL: h.c.URL, Public: h.c.Public, Workers: h.c.Workers != nil, UnitTargets: h.unitTargets, Now: time.Now, Log: log,
		DataUpdate: data.UpdateCommand(os.Getenv(data.Variable)),
	})
	if err != nil {
		return nil, err
	}
	o := access.Options{
		Store: h.db, Log: log, TLS: h.c.TLS != nil, Proxy: h.c.BehindProxy, URL: site, Chrome: board.Chrome, Lang: web.Lang,
	}
	if x := h.c.OIDC; x != nil {
		o.OIDC = &access.OIDC{
			Issuer: x.Issuer, ClientID: x.ClientID,
			Allow: access.Members(x.Allow), Work: access.Members(x.Work),
		}
		if x.ClientSecretFile != "" {
			secret, err := bounded.File(x.ClientSecretFile, 4096)
			if err != nil {
				return nil, usage(fmt.Errorf("client_secret_file: %w", err))
			}
			o.OIDC.ClientSecret = strings.TrimSpace(string(secret))
		}
	}
	prober := machine.NewWatchProber(func(name string) (*audit.Builder, string) {
		for _, w := range h.c.Watches {
			if w.Name == name {
				return h.runner.Builder(w), w.Source()
			}
		}
		return nil, ""
	})
	routes := machine.Routes(machine.Options{
		Data: h.db, Tool: tool, Watches: measured, AdvisoriesAsOf: h.runner.Known.About(advisories).AdvisoriesAsOf,
		Prober: prober, UnitTargets: h.unitTargets, Now: time.Now, Log: log,
	})
	return access.New(ctx, append(board.Routes(), routes...), o)
}

// serveOnce makes one run of each watch.
func serveOnce(ctx context.Context, s streams, c *config.Config) error {
	h, err := open(ctx, s, c)
	if err != nil {
		return err
	}
	defer h.close()
	working, end := context.WithCancel(ctx)
	defer end()
	group, working := errgroup.WithContext(working)
	group.Go(func() error { return h.runQueue(working) })
	err = h.scheduler(h.run).Once(working)
	end()
	err = errors.Join(err, group.Wait())
	if ctx.Err() == nil {
		err = errors.Join(err, h.alerts.Once(ctx))
	}
	switch {
	case ctx.Err() != nil:
		return &exit.Error{Code: exit.Interrupted}
	case err != nil:
		return err
	case h.broken.Load():
		return &exit.Error{Code: policy.Incomplete}
	}
	return nil
}
