package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Gauges are the numbers of now that monitoring is told.
type Gauges struct {
	Gateways map[string]map[Verdict]int        // by watch; a gateway that two watches see counts for each
	Findings map[string]map[event.Severity]int // that stand, by watch
	// Releases are the most frequent 50 of gateways that are not gone, "" among them if
	// it is not known; Others counts the gateways of all others.
	Releases []Counted
	Others   int
	// Unresolved counts the gateways that were open or claimable by proof, and of which
	// the last look proved nothing.
	Unresolved int
	Watches    []WatchState
}

// Gauges counts.
func (s *Store) Gauges(ctx context.Context) (g Gauges, err error) {
	g = Gauges{Gateways: map[string]map[Verdict]int{}, Findings: map[string]map[event.Severity]int{}}
	err = s.each(ctx, `SELECT watch, verdict, COUNT(*) FROM sight GROUP BY watch, verdict`, nil, func(r *sql.Rows) error {
		var watch string
		var v Verdict
		var n int
		err := r.Scan(&watch, &v, &n)
		if g.Gateways[watch] == nil {
			g.Gateways[watch] = map[Verdict]int{}
		}
		g.Gateways[watch][v] = n
		return err
	})
	err = errors.Join(err, s.each(ctx, `SELECT watch, severity, COUNT(*) FROM episode WHERE what = $1 AND closed = 0 GROUP BY watch, severity`, []any{OfFinding}, func(r *sql.Rows) error {
		var watch string
		var rank, n int
		err := r.Scan(&watch, &rank, &n)
		if g.Findings[watch] == nil {
			g.Findings[watch] = map[event.Severity]int{}
		}
		g.Findings[watch][severity(rank)] += n
		return err
	}))
	err = errors.Join(err, s.each(ctx, `SELECT release, COUNT(*) FROM gateway WHERE verdict <> $1 GROUP BY release ORDER BY 2 DESC, 1 LIMIT `+strconv.Itoa(maxGroups), []any{Gone}, func(r *sql.Rows) error {
		var c Counted
		err := r.Scan(&c.Name, &c.N)
		g.Releases = append(g.Releases, c)
		g.Others -= c.N
		return err
	}))
	var all int
	err = errors.Join(err, s.each(ctx, `SELECT COUNT(*) FROM gateway WHERE verdict <> $1`, []any{Gone}, func(r *sql.Rows) error { return r.Scan(&all) }))
	g.Others = max(g.Others+all, 0) // two looks at the database
	err = errors.Join(err, s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM gateway g WHERE `+unresolved()).Scan(&g.Unresolved))
	var err2 error
	g.Watches, err2 = s.Watches(ctx)
	return g, errors.Join(err, err2)
}

// Ping asks the database for something.
func (s *Store) Ping(ctx context.Context) error {
	var text string
	return s.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'schema'`).Scan(&text)
}
