package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/version"
)

func newData(s streams) *cobra.Command {
	var o langOption
	f := newFlags("data")
	f.noArgs = true
	f.group("Output")
	o.flag(f, "language")
	cmd := &cobra.Command{
		Use:   "data [flags]",
		Short: "Say which data is used: releases, advisories, fingerprints",
		Long: `Say which data is used: releases, advisories and fingerprints. That is the data
that is built in, or newer data that "clawsonar data update" has installed. Its
signature is verified each time.

The environment variable CLAWSONAR_DATA names another folder for installed data,
or a data file (its name ends with .json.gz); "builtin" is the built-in data
alone.`,
		Example: `  clawsonar data
  clawsonar data update clawsonar-data.json.gz
  CLAWSONAR_DATA=builtin clawsonar scan`,
	}
	cmd.AddCommand(newDataUpdate(s))
	return f.attach(s, cmd, func(context.Context, []string) error {
		t, err := o.texts()
		if err != nil {
			return err
		}
		known, err := openData()
		if err != nil {
			return err
		}
		return showData(s.out, known, t)
	})
}

// showData says which data is used, one thing a line.
func showData(w io.Writer, k *data.Known, t report.Texts) error {
	advisories, err := k.Advisories()
	if err != nil {
		return err
	}
	d := k.About(advisories)
	row := func(name, value string) {
		fmt.Fprintf(w, "%s %s\n", report.Pad(name, 11), clean.Text(value))
	}
	row(t.Say("Data"), d.Version)
	if k.File == "" {
		row(t.Say("Source"), t.Say("built in"))
	} else {
		row(t.Say("Source"), k.File)
		by := t.Say("%s (clawsonar's)", k.Key)
		if k.OwnKey {
			by = t.Say("%s (a key that you trust)", k.Key)
		}
		row(t.Say("Signed by"), by)
	}
	if k.Passed != "" {
		row(t.Say("Not used"), t.Say("%s: the built-in data is newer", k.Passed))
	}
	row(t.Say("Releases"), t.Say("%d up to %s, as of %s", d.Releases, d.NewestRelease, d.ReleasesAsOf))
	row(t.Say("Advisories"), t.Say("%d, as of %s", d.Advisories, d.AdvisoriesAsOf))
	row(t.Say("Products"), fmt.Sprint(len(k.Set.Products())))
	if folder := data.PlaceOf(os.Getenv(data.Variable)).Folder; folder != "" {
		row(t.Say("Updates go"), folder)
	}
	if d.Stale(time.Now()) {
		fmt.Fprintf(w, "\n%s\n", t.Say("This data is old: newer releases are not known by name, newer advisories are not reported. Get newer data: %s", data.UpdateCommand(os.Getenv(data.Variable))+" -fetch "+data.Published))
	}
	return nil
}

func newDataUpdate(s streams) *cobra.Command {
	var fetch, key string
	f := newFlags("data update")
	f.group("Flags")
	f.text(&fetch, "fetch", "", "URL", "fetch the file and its signature (URL.minisig) by https instead; no redirect is followed", checked(data.CheckURL))
	f.text(&key, "key", "", "FILE", "trust the public keys of minisign in this file instead of clawsonar's; they are kept with the data", nil)
	cmd := &cobra.Command{
		Use:   "update [flags] [FILE]",
		Short: "Install newer data from a signed file",
		Long: `Install newer data from a signed file. Its signature of minisign is beside it, as
FILE.minisig. Nothing is installed unless it is signed by a key that is trusted,
newer than what is there, and all of it can be read. Data adds knowledge, and
never makes clawsonar send a request that it would not send without.

clawsonar fetches data only when told so with -fetch, and never by itself.`,
		Example: `  clawsonar data update clawsonar-data.json.gz
  clawsonar data update -fetch https://mirror.example.org/clawsonar-data.json.gz
  clawsonar data update -key our.pub our-data.json.gz`,
	}
	return f.attach(s, cmd, func(ctx context.Context, args []string) error {
		var signed *data.Signed
		var err error
		wrong := usage
		switch {
		case fetch != "" && len(args) == 0:
			signed, err = fetchData(ctx, s, fetch, key)
			wrong = func(err error) error { return err } // what a server gave is not the user's to fix
		case fetch == "" && len(args) == 1:
			signed, err = data.Read(args[0], key)
		default:
			err = errors.New("it takes one file, or -fetch URL: new data is at " + data.Published)
		}
		if err != nil {
			return wrong(fmt.Errorf("data update: %w", err))
		}
		k, err := data.PlaceOf(os.Getenv(data.Variable)).Install(signed)
		if err != nil {
			return wrong(fmt.Errorf("data update: %w", err))
		}
		advisories, err := k.Advisories()
		if err != nil {
			return err
		}
		d := k.About(advisories)
		_, err = fmt.Fprintf(s.out, "installed data %s, signed by the key %s: %s\n%d OpenClaw releases up to %s, as of %s\n%s, as of %s\n",
			d.Version, d.Key, clean.Text(k.File), d.Releases, d.NewestRelease, d.ReleasesAsOf, advisoryCount(d.Advisories), d.AdvisoriesAsOf)
		return err
	})
}

// fetchData fetches a data file, and says whom it asks.
func fetchData(ctx context.Context, s streams, text, key string) (*data.Signed, error) {
	u, err := data.CheckURL(text)
	if err != nil {
		return nil, fmt.Errorf("-fetch: %w", err)
	}
	fmt.Fprintf(s.err, "clawsonar: asking %s for %s and its signature\n", clean.Text(u.Host), clean.Text(u.Path))
	return data.Fetch(ctx, u, key, "clawsonar/"+version.String())
}
