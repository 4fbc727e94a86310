package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// maxTime is how long one release may take, from asking for its address to its
// last byte. The largest package so far, 2026.9.6, has 95 MB.
const maxTime = 10 * time.Minute

// npm is the source that asks the npm client. Only the client knows the registry;
// what it says the address of a package is, is fetched with the proxy settings of
// the environment.
type npm struct{}

func (npm) versions(ctx context.Context, pkg string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var names []string
	if err := view(ctx, &names, pkg, "versions"); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("npm lists none")
	}
	return names, nil
}

func (npm) open(ctx context.Context, pkg, version string) (io.ReadCloser, int64, error) {
	var address string
	if err := view(ctx, &address, pkg+"@"+version, "dist.tarball"); err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("npm gave an unusable package address: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		// Without the address, which names the registry.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, 0, fmt.Errorf("fetching the package: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, 0, fmt.Errorf("fetching the package: the registry answered %s", resp.Status)
	}
	return resp.Body, resp.ContentLength, nil
}

// view asks npm for one field of a package.
func view(ctx context.Context, into any, spec, field string) error {
	cmd := exec.CommandContext(ctx, "npm", "view", "--json", "--", spec, field)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("npm view %s %s: %w: %s", spec, field, err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("npm view %s %s: unexpected answer: %w", spec, field, err)
	}
	return nil
}
