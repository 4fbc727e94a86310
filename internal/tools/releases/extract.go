package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/release"
)

// Bounds, in bytes, on what a package can make extract do. 2026.9.6, the largest so
// far, unpacks to 321 MB, and its page has 18 kB.
const (
	maxUnpacked = 2 << 30
	maxFile     = 1 << 20
)

// The files whose facts the table holds, below the package's top folder.
const (
	fileInfo     = "dist/build-info.json"
	filePage     = "dist/control-ui/index.html"
	fileWorker   = "dist/control-ui/sw.js"
	fileIcon     = "dist/control-ui/favicon.svg"
	fileManifest = "dist/control-ui/manifest.webmanifest"
	wantedFiles  = 5
)

var (
	assetPattern   = regexp.MustCompile(`(?:src|href)="[^"]*\bassets/([^"/?#]+\.(?:js|css))(?:[?#][^"]*)?"`)
	buildIDPattern = regexp.MustCompile(`data-openclaw-control-ui-build-id="([^"]*)"`)
	stampPattern   = regexp.MustCompile(`EMBEDDED_CACHE_VERSION = "([^"]*)"`)
)

// extract reads a package as npm serves it, a gzipped tar, until it has seen every
// wanted file or reached the end. A package without a page is fine (2026.3.22 has
// none), one without build-info.json is not. The version is the one the build wrote
// down.
func extract(r io.Reader) (release.Release, error) {
	var out release.Release
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return out, fmt.Errorf("unpacking: %w", err)
	}
	files := tar.NewReader(io.LimitReader(unzipped, maxUnpacked))
	for seen := 0; seen < wantedFiles; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, fmt.Errorf("unpacking: %w", err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		switch name {
		case fileInfo, filePage, fileWorker, fileIcon, fileManifest:
		default:
			continue
		}
		if h.Size > maxFile {
			return out, fmt.Errorf("%s has %d bytes, more than the %d this tool reads", name, h.Size, maxFile)
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return out, fmt.Errorf("unpacking %s: %w", name, err)
		}
		if err := note(&out, name, data); err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		seen++
	}
	if out.Version.IsZero() {
		return out, errors.New("the package has no " + fileInfo)
	}
	return out, nil
}

// note takes the facts of one file.
func note(out *release.Release, name string, data []byte) error {
	switch name {
	case fileInfo:
		return noteInfo(out, data)
	case filePage:
		for _, m := range assetPattern.FindAllSubmatch(data, -1) {
			out.Assets = append(out.Assets, string(m[1]))
		}
		slices.Sort(out.Assets)
		out.Assets = slices.Compact(out.Assets)
		if len(out.Assets) == 0 {
			return errors.New("references no assets; has the page a new shape?")
		}
		var err error
		out.BuildID, err = stamp(buildIDPattern, data)
		return err
	case fileWorker:
		out.SWJS = digest(data)
		var err error
		out.Stamp, err = stamp(stampPattern, data)
		return err
	case fileIcon:
		out.FaviconSVG = digest(data)
	case fileManifest:
		out.Manifest = digest(data)
	}
	return nil
}

// noteInfo takes the version, the commit and the day from what the vendor's build
// wrote down.
func noteInfo(out *release.Release, data []byte) error {
	var info struct {
		Version release.Version
		Commit  string
		BuiltAt time.Time
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return err
	}
	if info.Version.IsZero() || info.BuiltAt.IsZero() {
		return errors.New("lacks the version or the time")
	}
	out.Version = info.Version
	out.Commit = info.Commit[:min(len(info.Commit), 12)] // null in 2026.3.23-1
	out.Date = info.BuiltAt.UTC().Truncate(time.Second)
	return nil
}

// stamp finds a build stamp, which must be one that a scan could read too.
func stamp(pattern *regexp.Regexp, data []byte) (string, error) {
	m := pattern.FindSubmatch(data)
	if m == nil {
		return "", nil
	}
	s := string(m[1])
	_, err := release.ParseBuild(s)
	return s, err
}

// digest is the short digest the table uses.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
