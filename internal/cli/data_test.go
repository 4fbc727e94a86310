package cli_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"encoding/json"
	"encoding/pem"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/minisign"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// nextRelease is one that the binary does not know: a page like that of 2026.6.11 with
// other assets.
const nextRelease = "2026.12.1"

var assetName = regexp.MustCompile(`assets/([a-z-]+)-[A-Za-z0-9_-]{8}\.(js|css)`)

// nextPage is a capture of it, and the names of its assets.
func nextPage(ts *testscript.TestScript) (text string, assets []string) {
	raw, err := captures.FS.ReadFile("openclaw/openclaw-2026.6.11-token.yaml")
	ts.Check(err)
	text = assetName.ReplaceAllString(string(raw), "assets/$1-Next0001.$2")
	for _, m := range regexp.MustCompile(`assets/([a-z-]+-Next0001\.(?:js|css))`).FindAllStringSubmatch(text, -1) {
		assets = append(assets, m[1])
	}
	slices.Sort(assets)
	return text, slices.Compact(assets)
}

// nextgateway VAR serves a gateway of that release.
func startNext(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nextgateway VAR")
	}
	text, _ := nextPage(ts)
	c, err := evidence.LoadCapture([]byte(text), "next.yaml")
	ts.Check(err)
	r, err := replica.Start(c)
	ts.Check(err)
	ts.Defer(r.Close)
	ts.Setenv(args[0], r.Addr.String())
}

// datafile FILE KEY [day=YYYY-MM-DD] [schema=N] [release] [request] [broken] [cut] writes a
// data file, and its signature by a key for tests, which is a number; FILE.key is its
// public key. It is made of the built-in data, as of 2027-01-01 or that day.
func dataFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: datafile FILE KEY [day=YYYY-MM-DD] [schema=N] [release] [request] [broken] [cut]")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	options := map[string]string{"day": "2027-01-01", "schema": "1"}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		options[name] = value
	}
	files := map[string]string{}
	ts.Check(fs.WalkDir(fingerprints.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(name, "local/") {
			return err
		}
		text, err := fs.ReadFile(fingerprints.FS, name)
		files[name] = string(text)
		return err
	}))
	const table = "releases/openclaw.json"
	_, rest, _ := strings.Cut(files[table], `"releases"`)
	files[table] = fmt.Sprintf(`{"as_of":"%sT00:00:00Z","releases"%s`, options["day"], rest)
	for name := range options {
		switch name {
		case "release":
			_, assets := nextPage(ts)
			files[table] = strings.TrimSuffix(strings.TrimSpace(files[table]), "]}") +
				fmt.Sprintf(`,{"package":"openclaw","version":%q,"date":"2026-11-29T00:00:00Z","commit":"0123456789ab","assets":["%s"]}]}`, nextRelease, strings.Join(assets, `","`))
		case "request":
			files["lmstudio.yaml"] = strings.Replace(files["lmstudio.yaml"], "path: /lmstudio-greeting", "path: /api/delete-all", 1)
		case "broken":
			files["ollama.yaml"] += "of_a_later_clawsonar: true\n"
		}
	}
	text, err := json.Marshal(map[string]any{
		"schema": json.Number(options["schema"]), "version": strings.ReplaceAll(options["day"], "-", "") + "01", "files": files,
	})
	ts.Check(err)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(text)
	ts.Check(errors.Join(err, z.Close()))
	packed, key, file := out.Bytes(), minisign.Key(n), ts.MkAbs(args[0])
	signature := key.Sign(packed)
	if _, cut := options["cut"]; cut {
		packed = packed[:len(packed)/2]
	}
	ts.Check(os.WriteFile(file, packed, 0o600))
	ts.Check(os.WriteFile(file+data.SignatureEnding, []byte(signature), 0o600))
	ts.Check(os.WriteFile(file+".key", []byte(key.Public()), 0o600))
}

// mirror VAR serves the working folder by https at the URL in VAR, whose certificate is in
// mirror.pem. What is below /elsewhere/ leads to the same place, /endless has no end.
func startMirror(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mirror VAR")
	}
	files := http.FileServer(http.Dir(ts.MkAbs(".")))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/elsewhere/"):
			http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/elsewhere"), http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/endless"):
			for block := make([]byte, 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		default:
			files.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	ts.Defer(server.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("mirror.pem"), cert, 0o600))
	ts.Setenv(args[0], server.URL)
}
