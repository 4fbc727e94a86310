package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// recheck is how many silent members of ranges are tried again at the end.
const recheck = 500

// stateOptions are the flags for scans in parts: over several machines, or
// over several runs.
type stateOptions struct {
	shard           string
	seed            int
	journal, resume string
}

func (o *stateOptions) flags(f *flags) {
	f.group("State")
	f.text(&o.shard, "shard", "", "K/N", "scan only the K-th of N parts; all parts with one seed are everything", checkShard).
		mustName("most targets would be left out")
	f.integer(&o.seed, "seed", "", 0, 0, "seed of the order in which targets are taken").
		mayFind("it is about order")
	f.text(&o.journal, "journal", "", "FILE", "write down how far the scan has come", nil).
		mustName("it says where is written")
	f.text(&o.resume, "resume", "", "FILE", "go on from this journal, and go on writing it", nil).
		mustName("it says where is written")
}

// apply fits the configuration, whose targets are complete, to these options.
func (o *stateOptions) apply(cfg *scan.Config) error {
	if o.shard != "" {
		shard, err := parseShard(o.shard)
		if err != nil {
			return err
		}
		cfg.Shard, cfg.Head.Shard = shard, o.shard
	}
	cfg.Seed, cfg.Head.Seed, cfg.Recheck = uint64(o.seed), uint64(o.seed), recheck

	path := o.journal
	sum := sha256.Sum256([]byte(strings.Join([]string{
		cfg.Space.Digest(), cfg.Scope.String(), cfg.Head.Shard, fmt.Sprint(cfg.Seed), cfg.Head.Level,
	}, "\n")))
	config := hex.EncodeToString(sum[:])
	if o.resume != "" {
		if path != "" && path != o.resume {
			return errors.New("-journal and -resume name two files: -resume goes on writing its own")
		}
		path = o.resume
		j, err := scan.ReadJournal(path, config, cfg.Targets())
		if err != nil {
			return fmt.Errorf("-resume: %w", err)
		}
		cfg.From = j.Next
	}
	if path == "" {
		return nil
	}
	cfg.Checkpoint = func(next uint64) error {
		return scan.Journal{
			Tool: version, Config: config, Targets: cfg.Targets(), Next: next,
			Updated: time.Now().UTC().Truncate(time.Second),
		}.Write(path)
	}
	if o.resume == "" {
		// A journal that cannot be written is better known now than at the end.
		if err := cfg.Checkpoint(0); err != nil {
			return fmt.Errorf("-journal: %w", err)
		}
	}
	return nil
}

func checkShard(s string) error {
	_, err := parseShard(s)
	return err
}

func parseShard(text string) (target.Shard, error) {
	var s target.Shard
	var rest string
	n, _ := fmt.Sscanf(text+" .", "%d/%d %s", &s.K, &s.N, &rest)
	if n != 3 || rest != "." || s.K < 1 || s.K > s.N {
		return target.Shard{}, fmt.Errorf("%q is not a part: write 2/4 for the second of four", text)
	}
	return s, nil
}
