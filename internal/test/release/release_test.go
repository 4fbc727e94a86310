package release

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const version = "0.0.0-snapshot"

// released is the day of the newest version in CHANGELOG.md, which everything has.
func released(t *testing.T) time.Time {
	t.Helper()
	for line := range strings.Lines(read(t, "CHANGELOG.md")) {
		if _, day, ok := strings.Cut(strings.TrimSpace(line), "] - "); ok && strings.HasPrefix(line, "## [") {
			at, err := time.Parse(time.DateOnly, day)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
	}
	t.Fatal("CHANGELOG.md has no version")
	return time.Time{}
}

// TestRelease makes a release twice, in two folders and without a network, and installs
// what it consists of.
func TestRelease(t *testing.T) {
	if os.Getenv("CLAWSONAR_E2E_RELEASE") == "" {
		t.Skip("SKIPPED, NOT TESTED: what a release consists of: run make release-tools, then CLAWSONAR_E2E_RELEASE=1 go test -v -timeout 90m ./internal/test/release")
	}
	for _, program := range []string{"unshare", "make", "dpkg", "dpkg-deb", "rpm", "skopeo", "umoci", "chroot", "man", "bash", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed", program)
		}
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test installs packages into directories: run it as root")
	}
	first, second := snapshot(t, filepath.Join(t.TempDir(), "a")), snapshot(t, filepath.Join(t.TempDir(), "another", "folder"))
	// As release.yml does. Everything else still has its say if they differ.
	if out, err := exec.Command("diff", "-r", first, second).CombinedOutput(); err != nil {
		t.Errorf("what is made differs between the two folders: %v\n%s", err, out)
	}
	t.Logf("SHA256SUMS of the first:  %s", digest([]byte(file(t, first, "assets/SHA256SUMS"))))
	d := dist{first}
	t.Run("sums", d.sums)
	t.Run("archives", d.archives)
	t.Run("sboms", d.sboms)
	t.Run("deb", d.debs)
	t.Run("systemd", d.systemd)
	t.Run("rpm", d.rpms)
	t.Run("apk", d.apks)
	t.Run("images", d.images)
	t.Run("recipes", d.recipes)
}

// snapshot copies the repository, runs "make release-snapshot" there in an empty network
// namespace, and returns the folder of what would be published.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from := filepath.Join(top, name)
		info, err := os.Stat(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, not committed
		}
		check(t, err)
		text, err := os.ReadFile(from)
		check(t, err)
		check(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), text, info.Mode()))
	}
	tools, err := filepath.Abs(filepath.Join(top, ".cache/release/bin"))
	check(t, err)
	check(t, os.MkdirAll(filepath.Join(dir, ".cache/release"), 0o755))
	check(t, os.Symlink(tools, filepath.Join(dir, ".cache/release/bin")))

	began := time.Now()
	// crane needs loopback, which is down in a new namespace.
	cmd := exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up && [ -z \"$(ip route)\" ] && exec make release-snapshot")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release-snapshot: %v\n%s", err, out)
	}
	t.Logf("%s: made in %s", dir, time.Since(began).Round(time.Second))
	return filepath.Join(dir, "dist", "release")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	check(t, err)
	return string(text)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// do runs a program and returns what it prints.
func do(t *testing.T, name string, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// dist is the folder of a release.
type dist struct{ dir string }

func (d dist) asset(name string) string { return filepath.Join(d.dir, "assets", name) }

type platform struct{ os, arch string }

var (
	programs  = []string{"clawsonar", "clawsonar-hub"}
	platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}}
)

// sums: SHA256SUMS is over all assets, and these are the ones that there are to be.
func (d dist) sums(t *testing.T) {
	var want []string
	for _, program := range programs {
		for _, p := range platforms {
			stem := fmt.Sprintf("%s_%s_%s_%s", program, version, p.os, p.arch)
			want = append(want, stem+".cdx.json", stem+map[bool]string{true: ".zip", false: ".tar.gz"}[p.os == "windows"])
			if p.os == "linux" {
				want = append(want, stem+".deb", stem+".rpm", stem+".apk")
			}
		}
	}
	var got []string
	for line := range strings.Lines(file(t, d.asset("SHA256SUMS"))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if digest([]byte(file(t, d.asset(name)))) != sum {
			t.Errorf("%s has another digest", name)
		}
		got = append(got, name)
	}
	entries, err := os.ReadDir(filepath.Join(d.dir, "assets"))
	check(t, err)
	if len(entries) != len(got)+1 {
		t.Errorf("%d assets, SHA256SUMS has %d", len(entries), len(got))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("assets\n%q, want\n%q", got, want)
	}
	t.Logf("%d assets", len(got))
}

// entry is a file of an archive.
type entry struct {
	data  []byte
	mode  fs.FileMode
	mtime time.Time
}

// archive reads an archive of one program.
func (d dist) archive(t *testing.T, program string, p platform) map[string]entry {
	t.Helper()
	stem := d.asset(fmt.Sprintf("%s_%s_%s_%s", program, version, p.os, p.arch))
	files := map[string]entry{}
	if p.os == "windows" {
		r, err := zip.OpenReader(stem + ".zip")
		check(t, err)
		defer r.Close()
		for _, f := range r.File {
			body, err := f.Open()
			check(t, err)
			data, err := io.ReadAll(body)
			check(t, err)
			files[f.Name] = entry{data, f.Mode(), f.Modified}
		}
		return files
	}
	f, err := os.Open(stem + ".tar.gz")
	check(t, err)
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	check(t, err)
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		check(t, err)
		data, err := io.ReadAll(r)
		check(t, err)
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.Gname != "root" {
			t.Errorf("%s: %s is of %s:%s, %d:%d", stem, h.Name, h.Uname, h.Gname, h.Uid, h.Gid)
		}
		files[h.Name] = entry{data, fs.FileMode(h.Mode), h.ModTime}
	}
}

// archives: what is in them, and that it depends on nothing of the machine that made it.
func (d dist) archives(t *testing.T) {
	at := released(t)
	for _, program := range programs {
		pages, err := filepath.Glob(filepath.Join(top, "docs/man", program+"*.1"))
		check(t, err)
		for _, p := range platforms {
			name := program
			if p.os == "windows" {
				name += ".exe"
			}
			want := []string{
				"LICENSE", "NOTICE", "README.md", "LICENSES-OTHERS", name,
				"completions/" + program + ".bash", "completions/" + program + ".zsh", "completions/" + program + ".fish",
			}
			if program == "clawsonar-hub" {
				want = append(want, "examples/watch.yaml", "systemd/clawsonar-hub.service", "systemd/clawsonar-hub-worker@.service")
			}
			for _, page := range pages {
				if base := filepath.Base(page); program == "clawsonar-hub" || !strings.HasPrefix(base, "clawsonar-hub") {
					want = append(want, "man/"+base)
				}
			}
			var got []string
			files := d.archive(t, program, p)
			for file, e := range files {
				got = append(got, file)
				mode := fs.FileMode(0o644)
				if file == name {
					mode = 0o755
				}
				if !e.mtime.Equal(at) || e.mode.Perm() != mode {
					t.Errorf("%s %v: %s is of %s, %v", program, p, file, e.mtime, e.mode)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s %v has\n%q, want\n%q", program, p, got, want)
			}
			info, err := buildinfo.Read(bytes.NewReader(files[name].data))
			check(t, err)
			if info.GoVersion != "go1.26.8" {
				t.Errorf("%s %v is made by %s", program, p, info.GoVersion)
			}
			for _, s := range info.Settings {
				if strings.HasPrefix(s.Key, "vcs") || s.Key == "CGO_ENABLED" && s.Value != "0" || s.Key == "GOOS" && s.Value != p.os || s.Key == "GOARCH" && s.Value != p.arch {
					t.Errorf("%s %v: built with %s=%s", program, p, s.Key, s.Value)
				}
			}
		}
		program := filepath.Join(t.TempDir(), program)
		check(t, os.WriteFile(program, d.archive(t, filepath.Base(program), platforms[0])[filepath.Base(program)].data, 0o755))
		for _, arg := range []string{"version", "--version"} {
			saysVersion(t, filepath.Base(program), do(t, program, arg))
		}
	}
}

func saysVersion(t *testing.T, program, said string) {
	t.Helper()
	if want := program + " " + version + ", go1.26.8\n"; !strings.HasPrefix(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// sboms: their components are the modules that the programs say they are built from.
func (d dist) sboms(t *testing.T) {
	for _, program := range programs {
		for _, p := range platforms {
			name := program
			if p.os == "windows" {
				name += ".exe"
			}
			info, err := buildinfo.Read(bytes.NewReader(d.archive(t, program, p)[name].data))
			check(t, err)
			var want, got []string
			for _, m := range info.Deps {
				if m.Replace != nil {
					t.Fatalf("%s is replaced", m.Path)
				}
				want = append(want, m.Path+" "+m.Version)
			}
			var doc struct {
				Format   string `json:"bomFormat"`
				Metadata struct {
					Component struct{ Name, Version string }
				}
				Components []struct{ Name, Version string }
			}
			check(t, json.Unmarshal([]byte(file(t, d.asset(fmt.Sprintf("%s_%s_%s_%s.cdx.json", program, version, p.os, p.arch)))), &doc))
			for _, c := range doc.Components {
				got = append(got, c.Name+" "+c.Version)
			}
			slices.Sort(want)
			slices.Sort(got)
			if doc.Format != "CycloneDX" || !slices.Equal(got, want) || len(got) < 20 {
				t.Errorf("%s %v: %s has\n%q, the program\n%q", program, p, doc.Format, got, want)
			}
			if c := doc.Metadata.Component; c.Name != "github.com/clawsonar/clawsonar" || c.Version != version {
				t.Errorf("%s %v: is of %s %s", program, p, c.Name, c.Version)
			}
			t.Logf("%s %s/%s: %d components", program, p.os, p.arch, len(got))
		}
	}
}

// installed are files that a package of a program has on any system.
func installed(program string) []string {
	out := []string{
		"/usr/bin/" + program, "/usr/share/man/man1/" + program + ".1.gz", "/usr/share/bash-completion/completions/" + program,
		"/usr/share/fish/vendor_completions.d/" + program + ".fish", "/usr/share/doc/" + program + "/copyright",
		"/usr/share/doc/" + program + "/NOTICE", "/usr/share/doc/" + program + "/LICENSES-OTHERS",
	}
	if program == "clawsonar-hub" {
		return append(out, "/etc/clawsonar/watch.yaml", "/usr/share/man/man1/clawsonar-hub-serve.1.gz")
	}
	return append(out, "/usr/share/man/man1/clawsonar-scan.1.gz")
}

var units = []string{"/usr/lib/systemd/system/clawsonar-hub.service", "/usr/lib/systemd/system/clawsonar-hub-worker@.service"}

// has holds a list of files to those that must be there, and says how many there are.
func has(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s lacks %s", what, w)
		}
	}
	t.Logf("%s: %d files", what, len(got))
}

// debs: installed into an empty root both programs run, their man pages and completions
// are found, and after purging nothing is left.
func (d dist) debs(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"} {
		check(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	check(t, os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644))
	// There is no shell in an empty root, so that scripts run outside, where they see
	// DPKG_ROOT and do nothing.
	dpkg := func(args ...string) string {
		return do(t, "dpkg", append([]string{"--root=" + root, "--force-script-chrootless"}, args...)...)
	}
	left := func() (out []string) {
		check(t, filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			if rel := strings.TrimPrefix(p, root); err == nil && !e.IsDir() && !strings.HasPrefix(rel, "/var/lib/dpkg/") && !strings.HasPrefix(rel, "/var/log/") {
				out = append(out, rel)
			}
			return err
		}))
		return out
	}
	for _, program := range programs {
		dpkg("--install", d.asset(program+"_"+version+"_linux_amd64.deb"))
	}
	files := left()
	for _, program := range programs {
		want := append(installed(program), "/usr/share/zsh/vendor-completions/_"+program)
		has(t, "deb, both", files, want)
		saysVersion(t, program, do(t, "chroot", root, "/usr/bin/"+program, "version"))
		page := path.Base(want[len(want)-2])
		if program == "clawsonar" {
			page = "clawsonar-scan.1.gz"
		}
		page = strings.TrimSuffix(page, ".1.gz")
		if text := do(t, "man", "-M", filepath.Join(root, "usr/share/man"), page); !strings.Contains(text, "SYNOPSIS") {
			t.Errorf("man %s: %s", page, text)
		}
		// As bash-completion does: the file is found by the name of the command.
		if said := do(t, "bash", "-c", `. "$1/usr/share/bash-completion/completions/$2" && complete -p "$2"`, "bash", root, program); !strings.Contains(said, "__start_"+program) {
			t.Errorf("bash completes %s by %s", program, said)
		}
		if said := do(t, "chroot", root, "/usr/bin/"+program, "__complete", "v"); !strings.HasPrefix(said, "ver") {
			t.Errorf("%s completes v by %s", program, said)
		}
	}
	has(t, "deb, both", files, units)
	if linked, err := os.ReadDir(filepath.Join(root, "etc/systemd")); err == nil {
		t.Errorf("installation enabled units: %v", linked)
	}
	if out := dpkg("--verify"); out != "" {
		t.Errorf("dpkg --verify: %s", out)
	}
	dpkg("--remove", "clawsonar-hub")
	if files := left(); !slices.Contains(files, "/etc/clawsonar/watch.yaml") {
		t.Error("removal took watch.yaml along, which people edit")
	}
	dpkg("--purge", "clawsonar", "clawsonar-hub")
	if files := left(); len(files) > 0 {
		t.Errorf("left after purging: %v", files)
	}
	check(t, filepath.WalkDir(filepath.Join(root, "usr"), func(p string, _ fs.DirEntry, err error) error {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left after purging: %s", p)
		}
		return nil
	}))
}

func (d dist) rpms(t *testing.T) {
	for _, program := range programs {
		for _, arch := range []string{"amd64", "arm64"} {
			name := d.asset(program + "_" + version + "_linux_" + arch + ".rpm")
			want := append(installed(program), "/usr/share/zsh/site-functions/_"+program)
			var config, scripts string
			if program == "clawsonar-hub" {
				want = append(want, units...)
				config, scripts = "/etc/clawsonar/watch.yaml", "systemctl try-restart"
			}
			has(t, filepath.Base(name), strings.Fields(do(t, "rpm", "-qpl", name)), want)
			if got := strings.TrimSpace(do(t, "rpm", "-qpc", name)); got != config {
				t.Errorf("%s: %q is for people to edit, want %q", name, got, config)
			}
			if got := do(t, "rpm", "-qp", "--scripts", name); (got == "") != (scripts == "") || !strings.Contains(got, scripts) {
				t.Errorf("%s: scripts %q", name, got)
			}
			if got := do(t, "rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE} %{BUILDHOST}", name); got != program+" 0.0.0~snapshot MIT clawsonar" {
				t.Errorf("%s is %q", name, got)
			}
		}
	}
}

// apks: an apk is tar streams one after the other, of a signature, control and data.
func (d dist) apks(t *testing.T) {
	for _, program := range programs {
		for _, arch := range []string{"amd64", "arm64"} {
			name := d.asset(program + "_" + version + "_linux_" + arch + ".apk")
			var files []string
			for f := range strings.Lines(do(t, "tar", "--ignore-zeros", "--warning=no-unknown-keyword", "-tzf", name)) {
				files = append(files, "/"+strings.TrimSpace(f))
			}
			has(t, filepath.Base(name), files, append(installed(program), "/.PKGINFO", "/usr/share/zsh/site-functions/_"+program))
			for _, f := range files {
				if strings.Contains(f, "systemd") || f == "/.post-install" {
					t.Errorf("%s has %s, for which it has no use", name, f)
				}
			}
		}
	}
}

const crane = top + "/.cache/release/bin/crane"

// startRegistry serves images on loopback until the test ends, and returns where.
func startRegistry(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(crane, "registry", "serve", "--address", "127.0.0.1:0")
	log, err := cmd.StderrPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		check(t, cmd.Process.Kill())
		_ = cmd.Wait() // was killed
	})
	line, err := bufio.NewReader(log).ReadString('\n')
	_, port, ok := strings.Cut(strings.TrimSpace(line), "serving on port ")
	if !ok {
		t.Fatalf("crane said %q, %v", line, err)
	}
	go io.Copy(io.Discard, log)
	return "127.0.0.1:" + port
}

// images: each has the very program of the archive, certificate authorities, and nothing
// else; unpacked it runs as a user without a name.
func (d dist) images(t *testing.T) {
	dir := t.TempDir()
	do(t, "tar", "-xf", filepath.Join(d.dir, "images.tar"), "-C", dir)
	registry := startRegistry(t)
	for line := range strings.Lines(file(t, d.dir, "IMAGES")) {
		// As release.yml does.
		sum, program, _ := strings.Cut(strings.TrimSpace(line), "  ")
		ref := registry + "/" + program + ":" + version
		do(t, crane, "push", filepath.Join(dir, "images", program), ref)
		if got := strings.TrimSpace(do(t, crane, "digest", ref)); got != sum {
			t.Errorf("%s is pushed as %s, IMAGES says %s", program, got, sum)
		}
	}
	for _, program := range programs {
		for _, p := range platforms[:2] {
			at := filepath.Join(dir, program+"-"+p.arch)
			do(t, "skopeo", "--insecure-policy", "--override-os", "linux", "--override-arch", p.arch, "copy", "oci:"+filepath.Join(dir, "images", program), "oci:"+at+":one")
			var config struct {
				Architecture, OS string
				Config           struct {
					User, WorkingDir string
					Entrypoint       []string
				}
			}
			check(t, json.Unmarshal([]byte(do(t, "skopeo", "inspect", "--config", "oci:"+at+":one")), &config))
			if c := config.Config; config.Architecture != p.arch || config.OS != "linux" || c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/" + program}) || c.WorkingDir != "/data" {
				t.Errorf("%s: %+v", at, config)
			}
			do(t, "umoci", "unpack", "--image", at+":one", at+".unpacked")
			root := filepath.Join(at+".unpacked", "rootfs")
			var files []string
			check(t, filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					files = append(files, strings.TrimPrefix(p, root))
				}
				return err
			}))
			if want := []string{"/etc/ssl/certs/ca-certificates.crt", "/usr/bin/" + program}; !slices.Equal(files, want) {
				t.Errorf("%s has %q, want %q", at, files, want)
			}
			if n := strings.Count(file(t, root, "etc/ssl/certs/ca-certificates.crt"), "BEGIN CERTIFICATE"); n < 80 {
				t.Errorf("%s trusts %d authorities", at, n)
			}
			if got, want := digest([]byte(file(t, root, "usr/bin", program))), digest(d.archive(t, program, p)[program].data); got != want {
				t.Errorf("%s: the program is %s, that of the archive %s", at, got, want)
			}
			if p.arch != "amd64" {
				continue
			}
			saysVersion(t, program, do(t, "chroot", "--userspec=65532:65532", root, "/usr/bin/"+program, "version"))
			if program == "clawsonar" {
				// It may write where it starts, and nowhere else.
				in := exec.Command("chroot", "--userspec=65532:65532", root, "/usr/bin/clawsonar", "demo", "-o", "/data/demo.jsonl")
				if out, err := in.CombinedOutput(); err != nil {
					t.Errorf("demo in the image: %v\n%s", err, out)
				}
				in = exec.Command("chroot", "--userspec=65532:65532", root, "/usr/bin/clawsonar", "demo", "-o", "/usr/bin/demo.jsonl")
				if out, err := in.CombinedOutput(); err == nil {
					t.Errorf("the image's user writes to /usr/bin\n%s", out)
				}
			}
			t.Logf("%s linux/%s: %d bytes unpacked program, runs as 65532", program, p.arch, len(d.archive(t, program, p)[program].data))
		}
	}
}

// recipes: each names digests of this release.
func (d dist) recipes(t *testing.T) {
	sums := map[string]string{}
	for line := range strings.Lines(file(t, d.asset("SHA256SUMS"))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	for _, program := range programs {
		for pattern, platforms := range map[string][]string{
			"homebrew/Casks/" + program + ".rb":                       {"darwin_amd64.tar.gz", "darwin_arm64.tar.gz", "linux_amd64.tar.gz", "linux_arm64.tar.gz"},
			"homebrew/Formula/" + program + ".rb":                     {"darwin_amd64.tar.gz", "darwin_arm64.tar.gz", "linux_amd64.tar.gz", "linux_arm64.tar.gz"},
			"scoop/" + program + ".json":                              {"windows_amd64.zip", "windows_arm64.zip"},
			"winget/manifests/*/*/" + program + "/*/*.installer.yaml": {"windows_amd64.zip", "windows_arm64.zip"},
			"flake.nix": {"darwin_amd64.tar.gz", "darwin_arm64.tar.gz", "linux_amd64.tar.gz", "linux_arm64.tar.gz"},
		} {
			found, err := filepath.Glob(filepath.Join(d.dir, filepath.FromSlash(pattern)))
			check(t, err)
			if len(found) != 1 {
				t.Errorf("%s: %v", pattern, found)
				continue
			}
			text := file(t, found[0])
			for _, p := range platforms {
				name := program + "_" + version + "_" + p
				if !strings.Contains(strings.ToLower(text), sums[name]) || sums[name] == "" {
					t.Errorf("%s lacks the digest of %s", pattern, name)
				}
				if url := "https://github.com/clawsonar/clawsonar/releases/download/v" + version + "/" + name; pattern != "flake.nix" &&
					!strings.Contains(strings.ReplaceAll(text, "#{version}", version), url) {
					t.Errorf("%s lacks %s", pattern, url)
				}
			}
		}
	}
}
