package target

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "write what is read into the golden files")

// wanted are the ports of the lists' tests.
var wanted = []uint16{80, 443, 18789, 18790}

// describe tells everything that a list says of an entry.
func describe(s Spec) string {
	text := fmt.Sprintf("%s %s", s.Source, s.Input)
	if s.First.IsValid() {
		text += " at " + s.First.String()
		if s.First != s.Last {
			text += "-" + s.Last.String()
		}
	}
	for _, f := range []struct{ name, value string }{
		{"name", s.Name}, {"scheme", s.Scheme}, {"base", s.Base}, {"bound", s.Bound}, {"of", s.Process},
	} {
		if f.value != "" {
			text += " " + f.name + " " + f.value
		}
	}
	if f := s.Found; f != nil {
		text += fmt.Sprintf(" by %s", f.By)
		if f.Published != "" {
			text += " published " + f.Published
		}
		if f.Announced != nil {
			text += fmt.Sprintf(" announced %v", f.Announced)
		}
	}
	text += fmt.Sprint(" ports ", s.Ports)
	if s.Exact {
		text += " exact"
	}
	if s.Implied {
		text += " implied"
	}
	return text
}

func read(l *List, r io.Reader) (string, error) {
	var b strings.Builder
	err := l.Read(r, func(s Spec) error {
		fmt.Fprintln(&b, describe(s))
		return nil
	})
	if l.Passed > 0 {
		fmt.Fprintln(&b, "passed over:", l.Passed)
	}
	for _, why := range slices.Sorted(maps.Keys(l.Left)) {
		fmt.Fprintf(&b, "passed over: %d %s\n", l.Left[why], why)
	}
	if l.Here > 0 {
		fmt.Fprintln(&b, "passed over to this machine:", l.Here)
	}
	return b.String(), err
}

// What scanners, search engines and one's own tools have written; testdata/README.md
// tells how each file came about.
func TestReadRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/lists/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var got strings.Builder
	for _, file := range files {
		name := filepath.Base(file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := read(&List{Name: "f", Ports: wanted}, bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "-- %s --\n%s", name, text)

		// The same in other circumstances: as a pipe gives it, and packed.
		packed := bytes.NewReader(gzipped(t, data))
		for how, r := range map[string]io.Reader{"byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "gzipped": packed} {
			if again, err := read(&List{Name: "f", Ports: wanted}, r); err != nil || again != text {
				t.Errorf("%s %s: %v\n%s", name, how, err, again)
			}
		}
		if name == "httpx.by-hand.txt" {
			continue // like a list that somebody wrote: what it names is wanted
		}
		only, err := read(&List{Name: "f", Ports: wanted, Only: true}, bytes.NewReader(data))
		if err != nil || strings.Contains(only, "28789") {
			t.Errorf("%s: takes a port that is not wanted: %v\n%s", name, err, only)
		}
	}
	const golden = "testdata/lists.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// A list that is cut, wherever, is an error, or else names the same as the whole:
// nothing of it is lost in silence. It cannot be told of lists whose lines stand
// for themselves where one ends, which is as if the list were shorter.
func TestReadCut(t *testing.T) {
	files, err := filepath.Glob("testdata/lists/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		whole, err := read(&List{Name: "f", Ports: wanted}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		whole, _, _ = strings.Cut(whole, "passed over")
		// Those that say where they end, and begin with what tells them from others.
		closed := bytes.Contains(data, []byte("</nmaprun>")) || data[0] == '[' || bytes.Contains(data, []byte("# "))
		plain := filepath.Ext(name) == ".txt"
		header := bytes.IndexByte(data, '\n') // a part of the first line may be a host name
		cut := 0
		// Of long ones, not every place.
		for n := 1; n < len(data); n += 1 + len(data)/3000*16 {
			got, err := read(&List{Name: "f", Ports: wanted}, bytes.NewReader(data[:n]))
			got, _, _ = strings.Cut(got, "passed over")
			lineEnd := data[n-1] == '\n' || data[n] == '\n' || data[n] == '\r'
			switch {
			case err != nil:
				if !strings.HasPrefix(err.Error(), "f:") {
					t.Errorf("%s cut at %d: no line is named: %v", name, n, err)
				}
				cut++
			case got == whole:
			case plain, n <= header && data[0] != '<' && data[0] != '[' && data[0] != '{':
			case !closed && lineEnd && strings.HasPrefix(whole, got):
			default:
				t.Errorf("%s cut at %d (%q) gives\n%s", name, n, data[max(0, n-20):n], got)
			}
		}
		if cut == 0 && !plain {
			t.Errorf("%s: no cut is an error", name)
		}
		packed := gzipped(t, data)
		for n := 2; n < len(packed); n += 1 + len(packed)/1000*16 {
			_, err := read(&List{Name: "f", Ports: wanted}, bytes.NewReader(packed[:n]))
			if err == nil || !strings.Contains(err.Error(), "f") {
				t.Errorf("%s gzipped, cut at %d: %v", name, n, err)
			}
		}
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// An entry is handed out as soon as it is there, not when the list ends.
func TestReadLive(t *testing.T) {
	for name, parts := range map[string][]string{
		"lines":   {"10.0.0.1\n", "10.0.0.2\n", ""},
		"json":    {"[\n{\"saddr\":\"10.0.0.1\"}", ",{\"saddr\":\"10.0.0.2\"}", "]"},
		"masscan": {"#masscan\nopen tcp 80 10.0.0.1 1\n", "open tcp 80 10.0.0.2 1\n", "# end\n"},
		"nmap": {`<?xml version="1.0"?><nmaprun><host><address addr="10.0.0.1" addrtype="ipv4"/></host>` + "\n",
			`<host><address addr="10.0.0.2" addrtype="ipv4"/></host>` + "\n", "</nmaprun>"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			got, done := make(chan string), make(chan error, 1)
			go func() {
				l := List{Name: "f", Ports: wanted}
				done <- l.Read(r, func(s Spec) error { got <- s.Input; return nil })
			}()
			end := parts[len(parts)-1]
			for i, part := range parts[:len(parts)-1] {
				if _, err := io.WriteString(w, part); err != nil {
					t.Fatal(err)
				}
				// The pipe stays open: should it be waited for, this waits for ever.
				if input, want := <-got, fmt.Sprintf("10.0.0.%d", i+1); input != want {
					t.Errorf("part %d gives %s, want %s", i, input, want)
				}
			}
			if _, err := io.WriteString(w, end); err != nil {
				t.Fatal(err)
			}
			w.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A host may be called as a line of a scanner begins.
func TestReadNamedLikeScanners(t *testing.T) {
	got, err := read(&List{Name: "f", Ports: []uint16{80}}, strings.NewReader("open\nbanner\n"))
	if want := "f:1 open name open ports [80] implied\nf:2 banner name banner ports [80] implied\n"; got != want || err != nil {
		t.Errorf("%s%v, want\n%s", got, err, want)
	}
}

func TestReadLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := []struct {
		name, in string
		want     []string // "source input"
		err      string
	}{
		{"empty", "", nil, ""},
		{"bom, crlf, comments", "\ufeff10.0.0.1\r\n# note\r\n\r\n  10.0.0.2:80  # why\r\ngw.example\t# tab\r\n", []string{
			"l.txt:1 10.0.0.1", "l.txt:4 10.0.0.2:80", "l.txt:5 gw.example"}, ""},
		{"no final newline", "10.0.0.1\n10.0.0.2", []string{"l.txt:1 10.0.0.1", "l.txt:2 10.0.0.2"}, ""},
		{"bom and comment", "\ufeff# a list\n::1\n", []string{"l.txt:2 ::1"}, ""},
		{"blank lines first", "\n\r\n \n10.0.0.1\n", []string{"l.txt:4 10.0.0.1"}, ""},
		{"only comments", "#\n   # x\n", nil, ""},
		{"brackets", "[::1]:80\n[::2]\n", []string{"l.txt:1 [::1]:80", "l.txt:2 [::2]"}, ""},
		{"a host by the name of a column", "ip\nhost\n", []string{"l.txt:1 ip", "l.txt:2 host"}, ""},
		{"bad line", "10.0.0.1\n\nnot/it\n10.0.0.2\n", []string{"l.txt:1 10.0.0.1"}, `l.txt:3: target "not/it"`},
		{"secret", "http://a:S3CRET@h/\n", nil, "l.txt:1: target URL holds a user name or password"},
		{"long line", "10.0.0.1\n" + long + "\n", []string{"l.txt:1 10.0.0.1"}, "l.txt:2: line is longer than 4096 bytes"},
		{"long last line", long + long, nil, "l.txt:1: line is longer than 4096 bytes"},
		{"utf-16", "\xff\xfe1\x000\x00", nil, "l.txt:1: "},

		{"long line of zeros", "10.0.0.1\n" + strings.Repeat("\x00", maxRecord+1), []string{"l.txt:1 10.0.0.1"}, "l.txt:2: line is longer"},

		{"other XML", "<?xml version=\"1.0\"?>\n<html>", nil, `l.txt:2: XML of "html": only nmap's is known`},
		{"broken XML", "<nmaprun>\n<host></hots>", nil, "l.txt: XML syntax error on line 2"},
		{"XML, no address", "<nmaprun>\n\n<host><address addr=\"x\"/></host>", nil, `l.txt:3: "x" is not an address`},
		{"XML, no port", "<nmaprun><host><address addr=\"10.0.0.1\"/><ports><port protocol=\"tcp\" portid=\"0\"><state state=\"open\"/></port></ports></host>", nil,
			`l.txt:1: "0" is not a port`},
		{"no host", "{}", nil, "l.txt:1: JSON object names no host"},
		{"other JSON", "[\n\n{\"ip\":{}}]", nil, "l.txt:3: JSON object names no host"},
		{"broken JSON", "{\"ip\":\"10.0.0.1\"}\n\n{\"port\":}", []string{"l.txt:1 10.0.0.1"}, "l.txt:3: not JSON that is known"},
		{"text after JSON", "{\"ip\":\"10.0.0.1\"}\nhello", []string{"l.txt:1 10.0.0.1"}, "l.txt:2: a JSON object is expected"},
		{"JSON, no port", "{\"ip\":\"10.0.0.1\",\"port\":70000}", nil, `l.txt:1: "70000" is not a port`},
		{"JSON, service without port", "{\"ip\":\"10.0.0.1\",\"services\":[{}]}", nil, `l.txt:1: "" is not a port`},
		{"JSON, ports of another kind", "{\"ip\":\"10.0.0.1\",\"ports\":{}}", nil, `l.txt:1: not JSON that is known`},
		{"JSON, no address", "{\n\"ip\":\"10.0.0\"}", nil, `l.txt:1: "10.0.0" is not an address`},
		{"JSON, no name", "{\"host\":\"a b\"}", nil, `l.txt:1: "a b" is not an address or host name`},
		{"JSON, secret", "{\"url\":\"http://a:S3CRET@h/\"}", nil, "l.txt:1: target URL holds a user name or password"},
		{"masscan", "open tcp\n", nil, "l.txt:1: not a line of masscan"},
		{"a table of docker ps", "CONTAINER ID   IMAGE     PORTS\nab12   claw   0.0.0.0:18789->18789/tcp\n", nil, "l.txt:1: this is a table for people, which may leave out what it has no space for: use docker ps --format"},
		{"a table of kubectl", "NAMESPACE   NAME   TYPE\nclaw   gw   LoadBalancer\n", nil, "l.txt:1: this is a table for people, which may leave out what it has no space for: use kubectl get ... -o json"},
		{"CSV", "saddr,sport\n10.0.0.1,80\n10.0.0.1,x\n", []string{"l.txt:2 10.0.0.1"}, `l.txt:3: "x" is not a port`},
		{"CSV, field over lines", "saddr,title\n10.0.0.1,\"a, b\nc\"\n10.0.0.2,x\n", []string{"l.txt:2 10.0.0.1", "l.txt:4 10.0.0.2"}, ""},
		{"CSV, stray quote", "saddr,title\n10.0.0.1,\"x\n10.0.0.2,y\n10.0.0.3,z\n", nil, "l.txt:2: a quote begins a field that continues over line 3, which looks like a target"},
		{"CSV, stray quotes that pair up", "saddr,sport\n10.0.0.1,80\n10.0.0.2,\"80\n10.0.0.3,\"\n10.0.0.4,80\n", []string{"l.txt:2 10.0.0.1"}, "l.txt:3: a quote begins"},
		{"CSV, quote before the end", "saddr,title\n10.0.0.1,\"x\nfoo\n", nil, "l.txt:2: a quote begins a field that has no end"},
		{"CSV, quote within a field", "saddr,title\n10.0.0.1,a\"b\"\n", nil, "l.txt:2: not a line of CSV: bare"},
		{"CSV, no final newline", "saddr,sport\n10.0.0.1,80\n10.0.0.2,18", []string{"l.txt:2 10.0.0.1"}, "l.txt:3: the list is cut"},
		{"CSV, header alone", "saddr,sport", nil, "l.txt:1: the list is cut"},
		{"CSV, many fields", "saddr,x\n10.0.0.1" + strings.Repeat(",", maxColumns) + "\n", nil, "l.txt:2: line of CSV with more than"},
		{"masscan list without its end", "#masscan\nopen tcp 80 10.0.0.1 1\n", []string{"l.txt:2 10.0.0.1"}, "l.txt:3: the list is cut"},
		{"masscan list, lines of it", "open tcp 80 10.0.0.1 1\n", []string{"l.txt:1 10.0.0.1"}, ""},
		{"masscan list, two", "#masscan\nopen tcp 80 10.0.0.1 1\n# end\n#masscan\nopen tcp 80 10.0.0.2 1\n# end\n", []string{"l.txt:2 10.0.0.1", "l.txt:5 10.0.0.2"}, ""},
		{"grepable without its end", "# Nmap 7.93 scan initiated x as: y\nHost: 10.0.0.1 ()\tPorts: 80/open/tcp//http///\n", []string{"l.txt:2 10.0.0.1"}, "l.txt:3: the list is cut"},
		{"JSON list without its end", "[{\"ip\":\"10.0.0.1\"},\n", []string{"l.txt:1 10.0.0.1"}, "l.txt:2: the list is cut"},
		{"JSON list closed twice", "[{\"ip\":\"10.0.0.1\"}]]", []string{"l.txt:1 10.0.0.1"}, "l.txt:1: a JSON object is expected"},
		{"JSON, deep", strings.Repeat("{\"host\":", 100), nil, "l.txt:1: JSON object is nested deeper than 64"},
		{"JSON, wrapped", strings.Repeat("{\"host\":", 20) + "{}" + strings.Repeat("}", 20), nil, "l.txt:1: not JSON that is known: too many objects"},
		{"XML without its end", "<nmaprun>\n<host><address addr=\"10.0.0.1\"/></host>\n", []string{"l.txt:2 10.0.0.1"}, "l.txt:3: the list is cut"},
		{"XML without its beginning", "<?xml version=\"1.0\"?>\n", nil, "l.txt:2: the list is cut"},
		{"XML, long attribute", "<nmaprun>\n<host x=\"" + strings.Repeat("x", maxToken) + "\">", nil, "l.txt:2: a tag, comment or text is longer than 1 MiB"},
		{"XML, long comment", "<nmaprun><!--" + strings.Repeat("x", maxToken) + "-->", nil, "l.txt:1: a tag, comment or text is longer than 1 MiB"},
		{"XML, deep", "<nmaprun>" + strings.Repeat("<a>", 100), nil, "l.txt:1: XML is nested deeper than 64"},
		{"gzip", "\x1f\x8b\x00", nil, "read l.txt: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			l := List{Name: "l.txt", Ports: []uint16{80}}
			err := l.Read(strings.NewReader(tt.in), func(s Spec) error {
				got = append(got, s.Source+" "+s.Input)
				return nil
			})
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			switch {
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "S3CRET")):
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}

	stop := errors.New("enough")
	for _, text := range []string{"10.0.0.1\n10.0.0.2\n", `{"ip":"10.0.0.1"}{"ip":"10.0.0.2"}`,
		`<nmaprun><host><address addr="10.0.0.1"/></host><host><address addr="10.0.0.1"/></host></nmaprun>`} {
		n := 0
		l := List{Name: "l.txt", Ports: []uint16{80}}
		if err := l.Read(strings.NewReader(text), func(Spec) error { n++; return stop }); err != stop || n != 1 {
			t.Errorf("after the callback's error: %v, %d calls", err, n)
		}
	}
	for _, begin := range []string{"", "{", "<nmaprun>"} {
		l := List{Name: "l.txt"}
		err := l.Read(io.MultiReader(strings.NewReader(begin), failing{}), func(Spec) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "l.txt") || !strings.Contains(err.Error(), "disk gone") {
			t.Errorf("read error after %q: %v", begin, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestLines(t *testing.T) {
	var got []string
	err := Lines(strings.NewReader("\ufeff\n10.0.0.0/8 # ours\n#\nAS64500"), "s.txt", func(text, source string) error {
		got = append(got, source+" "+text)
		return nil
	})
	if want := "[s.txt:2 10.0.0.0/8 s.txt:4 AS64500]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}

// fuzzList checks what holds of any list.
func fuzzList(t *testing.T, data []byte) {
	for _, only := range []bool{false, true} {
		l := List{Name: "l.txt", Ports: wanted, Only: only}
		lines := bytes.Count(data, []byte("\n")) + 1
		var specs []Spec
		err := l.Read(bytes.NewReader(data), func(s Spec) error {
			specs = append(specs, s)
			return nil
		})
		if err != nil && !strings.HasPrefix(err.Error(), "l.txt:") && !strings.HasPrefix(err.Error(), "read l.txt:") {
			t.Fatalf("error without the list's name: %v", err)
		}
		for _, s := range specs {
			var n int
			if _, err := fmt.Sscanf(s.Source, "l.txt:%d", &n); err != nil || n < 1 || n > lines && !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
				t.Fatalf("source %q in a list of %d lines", s.Source, lines)
			}
			if s.Name == "" && !s.First.IsValid() || s.First.IsValid() != s.Last.IsValid() || s.First.IsValid() && s.Last.Less(s.First) || len(s.Ports) == 0 {
				t.Fatalf("broken entry %+v", s)
			}
			if s.Name != "" && checkName(s.Name) != nil {
				t.Fatalf("broken name %+v", s)
			}
			if !s.First.IsValid() && !s.Implied {
				t.Fatalf("a listed name is not implied: %+v", s)
			}
			if word(s.Process) != s.Process || s.Bound != "" && s.First.IsLoopback() != netip.MustParseAddrPort(s.Bound).Addr().IsUnspecified() {
				t.Fatalf("%q is bound to %q, reached at %s", s.Process, s.Bound, s.First)
			}
		}
	}
}

// fuzzFiles fuzzes a parser from the recorded lists that match a pattern.
func fuzzFiles(f *testing.F, pattern string) {
	files, err := filepath.Glob("testdata/lists/" + pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(fuzzList)
}

func FuzzList(f *testing.F) {
	f.Add([]byte("\ufeff10.0.0.1\r\n# x\n\ngw.example # y\nhttps://gw.example [200]\n"))
	f.Add([]byte("saddr,sport\n10.0.0.1,80\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	fuzzFiles(f, "*.csv")
}

func FuzzNmapXML(f *testing.F)     { fuzzFiles(f, "*.xml") }
func FuzzGrepable(f *testing.F)    { fuzzFiles(f, "*grep*") }
func FuzzMasscan(f *testing.F)     { fuzzFiles(f, "masscan*") }
func FuzzJSONRecords(f *testing.F) { fuzzFiles(f, "*.json*") }
func FuzzAnnounced(f *testing.F)   { fuzzFiles(f, "avahi*") }
func FuzzSockets(f *testing.F)     { fuzzFiles(f, "ss-*") }
func FuzzASBlocks(f *testing.F) {
	f.Add("10.0.0.0/9\t64500\n10.0.0.0\t10.1.0.0\t64500\n10.0.0.0 9 1_2\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ASBlocks(strings.NewReader(text), "as.txt", map[uint32]bool{64500: true})
		if err != nil && !strings.HasPrefix(err.Error(), "as.txt:") && !strings.HasPrefix(err.Error(), "read as.txt:") {
			t.Fatalf("error without the file's name: %v", err)
		}
		for as, blocks := range got {
			for _, b := range blocks {
				if as != 64500 || !b.IsValid() || b != b.Masked() {
					t.Fatalf("%d: %v", as, b)
				}
			}
		}
	})
}
