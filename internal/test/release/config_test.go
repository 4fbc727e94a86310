package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/hub/config"
)

const top = "../../.."

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type source struct {
	Src string `yaml:"src"`
}

// goreleaser is what the tests ask of .goreleaser.yaml.
type goreleaser struct {
	Builds []struct {
		ID, Main, Binary    string
		Env, Flags, LDFlags []string
		GOOS, GOARCH        []string
		ModTimestamp        string `yaml:"mod_timestamp"`
	}
	Archives []struct {
		ID    string
		IDs   []string
		Files []source
	}
	NFPMs []struct {
		ID        string
		IDs       []string
		Formats   []string
		Contents  []source
		Overrides map[string]struct{ Scripts map[string]string }
	} `yaml:"nfpms"`
}

// TestConfiguration: both programs are built for all platforms and are in archives and
// packages, and the files that go with them are in the repository.
func TestConfiguration(t *testing.T) {
	var c goreleaser
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	commands, err := os.ReadDir(filepath.Join(top, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var programs, builds, archives, packages []string
	for _, d := range commands {
		programs = append(programs, d.Name())
	}
	var files []source
	for _, b := range c.Builds {
		builds = append(builds, b.Binary)
		if b.Main != "./cmd/"+b.Binary || !slices.Equal(b.GOOS, []string{"linux", "darwin", "windows"}) || !slices.Equal(b.GOARCH, []string{"amd64", "arm64"}) {
			t.Errorf("build %s: main %s, %v, %v", b.ID, b.Main, b.GOOS, b.GOARCH)
		}
		if !slices.Equal(b.Env, []string{"CGO_ENABLED=0"}) || !slices.Equal(b.Flags, []string{"-trimpath", "-buildvcs=false"}) || !strings.Contains(b.ModTimestamp, "SOURCE_DATE_EPOCH") {
			t.Errorf("build %s depends on where it is made: %v %v %s", b.ID, b.Env, b.Flags, b.ModTimestamp)
		}
		// internal/version tests that the linker finds this variable.
		if want := "-X github.com/clawsonar/clawsonar/internal/version.release={{ .Version }}"; len(b.LDFlags) != 1 || !strings.Contains(b.LDFlags[0], want) {
			t.Errorf("build %s: ldflags %v, want %s", b.ID, b.LDFlags, want)
		}
	}
	for _, a := range c.Archives {
		archives = append(archives, a.IDs...)
		files = append(files, a.Files...)
	}
	for _, p := range c.NFPMs {
		packages = append(packages, p.IDs...)
		files = append(files, p.Contents...)
		if !slices.Equal(p.Formats, []string{"deb", "rpm", "apk"}) {
			t.Errorf("package %s: %v", p.ID, p.Formats)
		}
		for _, o := range p.Overrides {
			for _, script := range o.Scripts {
				files = append(files, source{script})
			}
		}
	}
	for what, got := range map[string][]string{"builds": builds, "archives": archives, "packages": packages} {
		slices.Sort(got)
		if !slices.Equal(got, programs) {
			t.Errorf("%s of %v, want %v", what, got, programs)
		}
	}
	if len(files) < 20 {
		t.Fatalf("only %d files", len(files))
	}
	for _, f := range files {
		if strings.HasPrefix(f.Src, ".cache/release/files/") {
			continue // internal/tools/release makes those
		}
		if found, err := filepath.Glob(filepath.Join(top, filepath.FromSlash(f.Src))); err != nil || len(found) == 0 {
			t.Errorf("%s is not there: %v", f.Src, err)
		}
	}
}

// TestPinnedOnce: what several files pin is the same in all of them.
func TestPinnedOnce(t *testing.T) {
	workflow, makefile, tools := read(t, ".github/workflows/release.yml"), read(t, "Makefile"), read(t, "packaging/tools.sh")
	one := func(file, text, pattern string) string {
		t.Helper()
		found := map[string]bool{}
		var last string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			last = m[1]
			found[last] = true
		}
		if len(found) != 1 {
			t.Errorf("%s: %s is %v", file, pattern, found)
		}
		return last
	}
	if a, b := one("release.yml", workflow, `go-version: (\S+)`), one("Makefile", makefile, `GOTOOLCHAIN=go(\S+)`); a != b {
		t.Errorf("Go %s in release.yml, %s in Makefile", a, b)
	}
	if a, b := one("release.yml", workflow, `cmd/crane@(\S+)`), one("tools.sh", tools, `cmd/crane (\S+)`); a != b {
		t.Errorf("crane %s in release.yml, %s in tools.sh", a, b)
	}
}

// TestUnits: systemd understands the units, and they are permitted little.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed")
	}
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"clawsonar-hub.service", "clawsonar-hub-worker@.service"} {
		text := read(t, "packaging/hub/"+name)
		if !strings.Contains(text, "ExecStart=/usr/bin/clawsonar-hub ") {
			t.Errorf("%s starts something else", name)
		}
		// The program need not be installed here.
		text = strings.Replace(text, "ExecStart=/usr/bin/clawsonar-hub ", "ExecStart=/bin/true ", 1)
		unit := filepath.Join(dir, name)
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for _, unit := range units {
		// In tenths of the exposure level.
		if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", unit).CombinedOutput(); err != nil {
			t.Errorf("security: %v\n%s", err, out)
		}
	}
}

// TestPackagedWatch: the hub takes the watch.yaml of the packages, which writes only where
// its unit may.
func TestPackagedWatch(t *testing.T) {
	text := read(t, "packaging/hub/watch.yaml")
	c, err := config.Parse("/etc/clawsonar/watch.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const state = "/var/lib/clawsonar-hub/"
	if len(c.Watches) != 1 || !strings.HasPrefix(c.Store, state) || !strings.HasPrefix(c.Streams, state) {
		t.Errorf("%d watches, store %s, streams %s", len(c.Watches), c.Store, c.Streams)
	}
	if !strings.Contains(read(t, "packaging/hub/clawsonar-hub.service"), "\nStateDirectory="+filepath.Base(state)+"\n") {
		t.Error("the unit has another StateDirectory")
	}
}
