package cli_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peakFile names the file into which a child writes the most memory that it has
// held. What the system tells a parent of its child may include the parent's own.
const peakFile = "TEST_PEAK"

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

func tellPeak() {
	name := os.Getenv(peakFile)
	if name == "" {
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	if m := highWater.FindSubmatch(status); err == nil && m != nil {
		_ = os.WriteFile(name, m[1], 0o600)
	}
}

// maxPeak is what no file may make the program go beyond, in bytes.
const maxPeak = 64 << 20

// readers are the ways to name a file, FILE being it.
func readers() map[string]string {
	return map[string]string{
		"list":         "scan -dry-run -p 80 -l FILE",
		"stream":       "scan -stream -p 9 -l FILE",
		"exclude-file": "scan -dry-run -p 80 127.0.0.1 -exclude-file FILE",
		"scope":        "scan -dry-run -p 80 127.0.0.1 -scope FILE",
		"as-file":      "scan -dry-run -p 80 127.0.0.1 -exclude AS64500 -as-file FILE",
		"config":       "scan -dry-run -p 80 127.0.0.1 -config FILE",
		"ignore":       "report STREAM -ignore FILE",
		"baseline":     "report STREAM -baseline FILE",
		"redact-key":   "report STREAM -redact-key FILE",
		"vex":          "advisories check 2026.2.2 -vex FILE",
		"advisories":   "advisories check 2026.2.2 -advisories FILE",
		"update":       "advisories update FILE",
		"report":       "report FILE",
		"diff old":     "diff FILE STREAM",
		"diff new":     "diff STREAM FILE",
		"validate":     "fingerprints validate FILE",
		"test":         "fingerprints test FILE",
		"resume":       "scan -p 80 127.0.0.1 -resume FILE",
	}
}

// bomb is a file that is made to take memory or time.
type bomb struct {
	reader, name string
	write        func(w io.Writer) // nil: the file is there, and called name
	ends         bool              // it may be read to its end as well as refused
}

func text(parts ...any) func(io.Writer) {
	return func(w io.Writer) {
		b := bufio.NewWriterSize(w, 1<<20)
		for i := 0; i < len(parts); i++ {
			s := parts[i].(string)
			n := 1
			if i+1 < len(parts) {
				if times, ok := parts[i+1].(int); ok {
					n = times
					i++
				}
			}
			for range n {
				_, _ = b.WriteString(s)
			}
		}
		_ = b.Flush()
	}
}

func packed(write func(io.Writer)) func(io.Writer) {
	return func(w io.Writer) {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		write(z)
		_ = z.Close()
	}
}

func archive(files int, name func(i int) string, body string) func(io.Writer) {
	return func(w io.Writer) {
		z := zip.NewWriter(w)
		for i := range files {
			f, err := z.Create(name(i))
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(f, body)
		}
		_ = z.Close()
	}
}

// patterns is a fingerprint file of n patterns.
func patterns(n int, pattern string) func(io.Writer) {
	return func(w io.Writer) {
		_, _ = io.WriteString(w, "id: x\nname: X\nports: [1]\nrequests:\n- id: root\n  path: /\n  signals:\n")
		for i := range n {
			fmt.Fprintf(w, "    a%d: {body_regex: '%s'}\n", i, pattern)
		}
	}
}

func bombs() []bomb {
	const big = 96 << 20 // the ratio counts from 64 MiB on
	nmap := `<?xml version="1.0"?><nmaprun><host>`
	kube := `{"apiVersion":"v1","kind":`
	long := strings.Repeat("x", 1<<10)
	out := []bomb{
		{"list", "nmap, long attribute, packed", packed(text(nmap+`<a x="`, long, 32<<10, `"/></host></nmaprun>`)), false},
		{"list", "nmap, long comment, packed", packed(text(nmap+"<!--", long, 32<<10, "--></host></nmaprun>")), false},
		{"list", "nmap, long text, packed", packed(text(nmap, long, 32<<10, "</host></nmaprun>")), false},
		{"list", "nmap, long CDATA", text(nmap+"<![CDATA[", long, 16<<10, "]]></host></nmaprun>"), false},
		{"list", "nmap, long directive", text("<!DOCTYPE ", long, 16<<10, ">"+nmap), false},
		{"list", "nmap, long instruction", text("<?x ", long, 16<<10, "?>"+nmap), false},
		{"list", "nmap, long name", text(nmap+"<", long, 16<<10), false},
		{"list", "nmap, many attributes", text(nmap+"<a ", `a="" `, 4<<20, "/></host></nmaprun>"), false},
		{"list", "nmap, attributes to the limit", text(nmap, "<a "+strings.Repeat(`a="" `, 1000)+"/>", 800), false},
		{"list", "nmap, many name spaces", text(nmap+"<a ", `xmlns:a="" `, 2<<20, "/></host></nmaprun>"), false},
		{"list", "nmap, deep", text(nmap, "<a>", 4<<20), false},
		{"list", "nmap, many ports", text(nmap+`<address addr="127.0.0.1"/><ports>`, `<port protocol="tcp" portid="80"><state state="open"/></port>`, 400_000), false},
		{"list", "nmap, comments without end, packed", packed(text(nmap, "<!---->", 2<<20)), false},
		{"list", "line without end", text("1", 32<<20), false},
		{"list", "line without end, packed", packed(text("\x00", 16<<20)), false},
		{"list", "blank lines, packed", packed(text(strings.Repeat("\n", 1<<10), big>>10)), false},
		{"list", "CSV, one quote", text("saddr,title\n127.0.0.1,\"", "x\n", 2<<20), false},
		{"list", "CSV, quotes", text("saddr,title\n127.0.0.1,", `"`, 3<<20-1, "\n"), false},
		{"list", "CSV, wide header", text("saddr", ",", 3<<20-8, "\n"), false},
		{"list", "CSV, wide line", text("saddr,x\n", ",", 3<<20-1, "\n"), false},
		{"list", "CSV, wide quoted line", text("saddr,x\n\"", ",", 3<<20-8, "\"\n"), false},
		{"list", "JSON, nested lists", text(`{"ip":`, "[", 8<<20), false},
		{"list", "JSON, nested objects", text(`{"host":`, 1<<20), false},
		{"list", "JSON, nested to the limit", text(`{"host":`, 63, `{"x":"`, long, 3000, `"}`, "}", 63), false},
		{"list", "JSON, lists around", text("[", 8<<20), false},
		{"list", "JSON, long string", text(`{"ip":"`, long, 32<<10), false},
		{"list", "JSON, long name", text(`{"hostnames":["`, long, 3000, `"]}`), false},
		{"list", "JSON, many ports", text(`{"ip":"127.0.0.1","ports":[80`, ",80", 900_000, "]}"), false},
		{"list", "JSON, many services", text(`{"ip":"127.0.0.1","services":[{}`, ",{}", 900_000, "]}"), false},
		{"list", "JSON, many names", text(`{"hostnames":[""`, `,""`, 900_000, "]}"), false},
		{"list", "JSON, many keys", text(`{"a":0`, `,"a":0`, 1<<20, "}"), false},
		{"list", "docker, many ports", text(`{"Names":"a","Ports":"0.0.0.0:1->1/tcp`, ", 0.0.0.0:1->1/tcp", 160_000, `"}`), false},
		{"list", "compose, many services", text(`{"services":{"a":{}`, `,"a":{}`, 400_000, "}}"), false},
		{"list", "compose, ports to the limit", text(`{"services":{"a":{"ports":[{}`, `,{}`, 49_000, "]}}}"), false},
		{"list", "kubectl, ports to the limit", text(kube+`"Service","spec":{"ports":[{"port":1}`, `,{"port":1}`, 49_000, "]}}"), false},
		{"list", "kubectl, many node ports", text(kube+`"List","items":[`+kube+`"Pod"}`, ","+kube+`"Service","spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30001}]}}`, 70_000, "]}"), false},
		{"list", "kubectl, long names", text(kube+`"List","items":[`+kube+`"Pod"}`, ","+strings.Replace(kube, "v1", "gateway.networking.k8s.io/v1", 1)+`"HTTPRoute","spec":{"parentRefs":[{"name":"a"}],"hostnames":["`+long+`"]}}`, 17_000, "]}"), false},
		{"list", "kubectl, long before the items", text(kube+`"`, long, 2_900, `","items":[`, "[", 100), false},
		{"list", "kubectl, many lists of items", text(kube+`"x"`, `,"items":[]`, 270_000, "}"), true},
		{"list", "tailscale, many peers", text(`{"BackendState":"Running","Self":{},"Peer":{"a":{"TailscaleIPs":[]}`, `,"a":{"TailscaleIPs":[]}`, 400_000, "}}"), true},
		{"list", "tailscale, long key of a peer", text(`{"BackendState":"Running","Self":{},"Peer":{"`, long, 32<<10, "}}"), true},
		{"list", "avahi-browse, many fields", text("=;", ";", 3<<20-10, "\n"), false},
		{"list", "ss, many fields", text("LISTEN 0 0 127.0.0.1:80 *:*", " 1", 1<<20, "\n"), true},
		{"list", "masscan, many fields", text("open tcp 80 127.0.0.1 1", " 1", 1<<20, "\n"), true},
		{"list", "grepable, many ports", text("Host: 127.0.0.1 ()\tPorts: 80/open/tcp//http///", ", 80/open/tcp//http///", 135_000, "\n"), false},
		{"stream", "nmap, long comment, packed", packed(text(nmap+"<!--", long, 32<<10, "--></host></nmaprun>")), false},
		{"stream", "JSON, many ports", text(`{"ip":"127.0.0.1","ports":[80`, ",80", 900_000, "]}"), false},
		{"stream", "JSON, many port objects", text(`{"ip":"127.0.0.1","ports":[{"port":80}`, `,{"port":80}`, 200_000, "]}"), false},
		{"stream", "JSON, nested to the limit", text(`{"host":`, 63, `{"x":"`, long, 3000, `"}`, "}", 63), false},
		{"stream", "nmap, attributes to the limit", text(nmap, "<a "+strings.Repeat(`a="" `, 1000)+"/>", 800), false},
		{"stream", "CSV, wide quoted line", text("saddr,x\n\"", ",", 3<<20-8, "\"\n"), false},
		{"exclude-file", "line without end", text("1", 32<<20), false},
		{"scope", "line without end", text("1", 32<<20), false},
		{"as-file", "many blocks, packed", packed(text("0.0.0.1 255.255.255.254 64500\n", 2<<20)), false},
		{"as-file", "blank lines, packed", packed(text(strings.Repeat("\n", 1<<10), big>>10)), false},
		{"resume", "large", text("{\"tool\":\"", long, 64<<10, "\"}"), false},
		{"redact-key", "large", text(long, 64<<10), false},
		{"report", "line without end", text("{\"type\":\"", long, 64<<10), false},
		{"report", "deep", text(`{"type":"target","x":`, "[", 3<<20), false},
		{"report", "deep to the end", text(`{"type":"target","x":`, "[", 9_000, "]", 9_000, "}\n"), false},
		{"report", "many findings", text(`{"type":"target","findings":[{}`, ",{}", 1<<20, "]}\n"), false},
		{"report", "findings to the limit", text(`{"type":"target","findings":[{}`, ",{}", 24_000, "]}\n"), true},
		{"report", "long title", text(`{"type":"target","page":{"title":"`, long, 3000, `"}}`+"\n"), true},
		{"baseline", "many findings", text(`{"type":"target","findings":[{}`, ",{}", 1<<20, "]}\n"), false},
		{"diff new", "many findings", text(`{"type":"target","findings":[{}`, ",{}", 1<<20, "]}\n"), false},
		{"vex", "nested lists", text(`{"@context":"https://openvex.dev/ns","statements":`, "[", 4<<20-64), false},
		{"vex", "large", text(`{"@context":"`, long, 64<<10), false},
		{"vex", "many statements", text(`{"@context":"https://openvex.dev/ns","statements":[{}`, ",{}", 1<<20, "]}"), false},
		{"vex", "nested products", text(`{"@context":"https://openvex.dev/ns","statements":[{"products":[`, `{"subcomponents":[`, 50_000), false},
		{"vex", "products times components", text(`{"@context":"https://openvex.dev/ns","statements":[{"vulnerability":"CVE-2026-1","status":"fixed","subcomponents":["a:1"`,
			`,"a:1"`, 40_000, `],"products":["a:1"`, `,"a:1"`, 40_000, "]}]}"), true},
		{"advisories", "nested lists", text(`{"as_of":`, "[", 4<<20-64), false},
		{"advisories", "large", text(`{"as_of":"`, long, 64<<10), false},
		{"advisories", "many ranges", text(`{"advisories":[{"ranges":[{}`, ",{}", 1<<20, "]}]}"), false},
		{"advisories", "ranges to the limit", text(`{"advisories":[{"ranges":[{}`, ",{}", 98_000, "]}]}"), false},
		{"update", "nested lists", text("[", 48<<20), false},
		{"update", "nested lists within", text("[", 60, `{"x":`, "[", 4<<20), false},
		{"update", "lists of answers", text(`{"vulns":`, 2<<20), false},
		{"update", "answers within answers", text(`{"vulns":[`, 2<<20), false},
		{"update", "record without end", text(`{"id":"`, long, 40<<10), false},
		{"update", "many records", text(`[{"id":"openclaw"}`, `,{"id":"openclaw"}`, 400_000, "]"), true},
		{"update", "many other records", text("[{}", "\n,{}", 2<<20, "]"), true},
		{"update", "many unknown keys", text(`[{"id":"openclaw"}`, `,`+"\n"+`{"id":"openclaw"}`, 400_000, "]"), true},
		{"update", "many events", text(`{"id":"openclaw","affected":[{"ranges":[{"events":[{"a":""}`, `,{"a":""}`, 400_000, "]}]}]}"), true},
		{"update", "events to the limit", text(`{"id":"openclaw","affected":[{"ranges":[{"events":[{"a":""}`, `,{"a":""}`, 24_000, "]}]}]}"), true},
		{"update", "archive of many files", archive(45_000, func(i int) string { return strconv.Itoa(i) + ".json" }, ""), false},
		{"update", "archive of long names", archive(400, func(i int) string { return strconv.Itoa(i) + strings.Repeat("x", 60_000) + ".json" }, ""), false},
		{"update", "archive, packed", archive(1, func(int) string { return "x.json" }, strings.Repeat(" ", 64<<20)), false},
		{"update", "archive of archives' ratio", archive(40, func(i int) string { return strconv.Itoa(i) + ".json" }, "[]"+strings.Repeat(" ", 3<<20)), false},
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c%s]\n", c, c, c-1, strings.Repeat(",*"+string(c-1), 8))
	}
	for _, reader := range []string{"config", "ignore", "validate", "test"} {
		out = append(out,
			bomb{reader, "aliases", text(laughs), false},
			bomb{reader, "alias of itself", text("a: &a [*a]\n"), false},
			bomb{reader, "large", text("#", 64<<20), false},
			bomb{reader, "many values", text("a: [a", ",a", 500_000, "]"), false},
			bomb{reader, "many lines", text("- a\n", 250_000), false},
			bomb{reader, "values to the limit", text("a: [a", ",a", 99_000, "]"), false},
			bomb{reader, "nested lists", text("a: ", "[", 90_000), false},
			bomb{reader, "nested keys", text("? ", 90_000), false},
			bomb{reader, "long text", text("a: \"", `\x41`, 250_000, "\"\n"), false},
		)
	}
	return append(out,
		bomb{"validate", "repetitions", patterns(2_000, "^(.{30}){30}$"), false},
		bomb{"validate", "repetitions to the limit", patterns(50, "x.{900}"), false},
		bomb{"validate", "long pattern", text("id: x\nanswers:\n  a: {body_regex: '", "a.", 400_000, "'}\n"), false},
		bomb{"ignore", "long glob", text("ignore:\n- check: plain-http\n  reason: x\n  target: 'a", "*", 1_000_000, "'\n"), false},
		bomb{"ignore", "many globs", text("ignore:\n", "- {check: plain-http, reason: x, target: 'a"+strings.Repeat("*b", 400)+"'}\n", 1000), true},
	)
}

// No file that is named on the command line takes more memory than maxPeak, or
// hangs the program: it is refused in one line, or read to its end.
func TestBombs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the memory of a child from /proc")
	}
	t.Parallel()
	stream, err := filepath.Abs("../../testdata/streams/replicas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	all := bombs()
	for reader := range readers() {
		for _, name := range []string{"/dev/zero", "/dev/urandom", "/"} {
			if name == "/" && (reader == "update" || reader == "validate" || reader == "test") {
				continue // these take a folder
			}
			all = append(all, bomb{reader: reader, name: name})
		}
	}
	if only := os.Getenv("BOMB"); only != "" {
		all = all[:0:0]
		for _, b := range bombs() {
			if strings.Contains(b.reader+" "+b.name, only) {
				all = append(all, b)
			}
		}
	}
	for _, b := range all {
		t.Run(b.reader+"/"+strings.ReplaceAll(b.name, "/", " "), func(t *testing.T) {
			dir := t.TempDir()
			file := b.name
			if b.write != nil {
				file = filepath.Join(dir, "bomb")
				if b.reader == "validate" || b.reader == "test" {
					file += ".yaml"
				}
				f, err := os.Create(file)
				if err != nil {
					t.Fatal(err)
				}
				b.write(f)
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			// Only ends what hangs: no speed is tested.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			args := strings.Fields(readers()[b.reader])
			for i := range args {
				args[i] = strings.NewReplacer("FILE", file, "STREAM", stream).Replace(args[i])
			}
			cmd := exec.CommandContext(ctx, "clawsonar", args...)
			cmd.Dir = dir
			peak := filepath.Join(dir, "peak")
			// What is measured is what users have, who set nothing.
			cmd.Env = append(os.Environ(), peakFile+"="+peak, "HOME="+dir, "GOGC=100")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			begun := time.Now()
			err := cmd.Run()
			if ctx.Err() != nil {
				t.Fatal("hangs")
			}
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			line, rest, ended := strings.Cut(stderr.String(), "\n")
			if code != 2 && !b.ends || code == 2 && (rest != "" || !ended || !strings.HasPrefix(line, "clawsonar: ")) {
				t.Errorf("exit code %d, stderr %.300q", code, stderr.String())
			}
			told, err := os.ReadFile(peak)
			kib, err2 := strconv.ParseInt(string(told), 10, 64)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if kib<<10 >= maxPeak {
				t.Errorf("takes %d MiB", kib>>10)
			}
			t.Logf("%d MiB, %v, exit code %d, %.200s", kib>>10, time.Since(begun).Round(time.Millisecond), code, line)
		})
	}
}
