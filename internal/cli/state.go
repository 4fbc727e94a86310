package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/version"
)

// stateOptions are the flags for scans in parts: over several machines, or
// over several runs.
type stateOptions struct {
	shard           string
	journal, resume string
	vantage         string
}

func (o *stateOptions) flags(f *flags, seed *int) {
	f.group("State")
	f.text(&o.shard, "shard", "", "K/N", "scan shard K of N, or I+1/N where I counts from 0; run all N with the same -seed to cover every target", checked(parseShard)).
		mustName("most targets would be skipped")
	f.integer(seed, "seed", "", 0, 0, "seed of the order in which targets are scanned").
		mayFind("it is about order")
	f.text(&o.vantage, "vantage", "", "NAME", "where this scan stands, in a word of yours such as fra or office: results of several vantages say from where", audit.CheckName).
		mayFind("it only names the results")
	f.text(&o.journal, "journal", "", "FILE", "record progress; continue from it if it exists", nil).
		mustName("it names a file to write")
	f.text(&o.resume, "resume", "", "FILE", "as -journal, but the file must exist", nil).
		mustName("it names a file to write")
}

// journalFile returns the journal's path, "" for none, and the flag for it.
func (o *stateOptions) journalFile() (path, flag string, err error) {
	switch {
	case o.resume == "":
		return o.journal, "-journal", nil
	case o.journal != "" && o.journal != o.resume:
		return "", "", errors.New("-journal and -resume name two files: -resume continues to write its own")
	}
	return o.resume, "-resume", nil
}

// applyState applies shard and seed to the configuration, whose targets are
// complete, and sets the digest of the scan.
func (o *scanOptions) applyState(s streams, known *data.Known, cfg *scan.Config) error {
	if o.shard != "" {
		shard, err := parseShard(o.shard)
		if err != nil {
			return err
		}
		cfg.Shard, cfg.Head.Shard = shard, fmt.Sprintf("%d/%d", shard.K, shard.N)
	}
	cfg.Head.Vantage = o.vantage
	o.builder(s, known).Finish(cfg)
	return nil
}

// openJournal takes the journal, if there is to be one, and makes the scan continue
// from it. The caller closes it. A dry run only looks.
func (o *scanOptions) openJournal(cfg *scan.Config) (*results.JournalFile, error) {
	path, flag, err := o.journalFile()
	if err != nil || path == "" {
		return nil, err
	}
	if o.redact && o.redactKey == "" {
		return nil, fmt.Errorf("%s: with -redact each run has pseudonyms of its own, and the results of two runs could not be merged: give -redact-key FILE", flag)
	}
	want := results.Journal{Tool: version.String(), Config: cfg.Head.Config, Shard: cfg.Head.Shard, Targets: cfg.Targets()}
	if o.dryRun {
		_, err := results.ReadJournal(path, want)
		if err != nil && (o.resume != "" || !missing(err)) {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		return nil, nil
	}
	k, err := results.OpenJournal(path, want, o.resume != "", cfg.Head.Started)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	before := k.Before
	cfg.From = scan.Mark(before.Mark)
	cfg.Head.From, cfg.Head.Earlier, cfg.Head.Unlisted = before.Done(), slices.Clone(before.Runs), before.Unlisted
	return k, nil
}

// parseShard reads K/N, or I+1/N: what numbers the parts of a job from 0 puts its
// number there, and needs no shell to count.
func parseShard(text string) (target.Shard, error) {
	part, total, _ := strings.Cut(text, "/")
	index, plus := strings.CutSuffix(part, "+1")
	k, err := strconv.ParseUint(index, 10, 32)
	n, err2 := strconv.ParseUint(total, 10, 32)
	if plus {
		k++
	}
	if errors.Join(err, err2) != nil || k < 1 || k > n {
		return target.Shard{}, fmt.Errorf("%q is not a shard: write 2/4 for the second of four, or 1+1/4 where they are counted from 0", text)
	}
	return target.Shard{K: k, N: n}, nil
}
