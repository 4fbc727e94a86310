package filetree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Bounds on what is kept of a tar stream, in bytes: of one file (the largest that is read of any)
// and of all, with the list of names, so that a run stays within 64 MiB.
const (
	maxFile = 2 << 20
	maxKept = 24 << 20
	perName = 128 // what an entry of the list takes, besides its name
)

// unread are extensions of files that hold no configuration, and of which a machine may have
// very many: they are listed and not kept.
var unread = map[string]bool{
	".css": true, ".csv": true, ".html": true, ".jsonl": true, ".jsx": true, ".lock": true, ".log": true,
	".map": true, ".md": true, ".mjs": true, ".svg": true, ".ts": true, ".tsx": true,
}

// Tar returns the tree of a tar stream, plain or packed with gzip. Text of at most 2 MiB a file
// and 24 MiB in all is kept (see maxKept and unread), of other files what is known of them. A leading slash is dropped, as
// tar does; of a name that comes twice the last one counts. A stream that is cut or damaged, or
// unpacks to more than bounded.MaxUnpacked, is an error.
func Tar(r io.Reader) (Tree, error) {
	plain, err := bounded.Unpack(r)
	if err != nil {
		return nil, err
	}
	whole := &io.LimitedReader{R: plain, N: bounded.MaxUnpacked}
	in := tar.NewReader(whole)
	t := &archive{at: map[string]int{}, data: map[string][]byte{}}
	for !t.full {
		h, err := in.Next()
		if err == nil {
			err = t.entry(h, in)
		}
		switch {
		case err == io.EOF:
			t.finish()
			return t, nil
		case whole.N <= 0:
			return nil, fmt.Errorf("the tar stream is longer than %s", bounded.Size(bounded.MaxUnpacked))
		case (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)) && len(t.at) == 0:
			return nil, errors.New("not a tar stream, or not the whole of one")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errors.New("the tar stream breaks off: it is not whole")
		case err != nil:
			return nil, err
		}
	}
	t.finish()
	return t, nil
}

// IsTar reports whether a file that begins so is a tar or gzip stream.
func IsTar(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x1f\x8b")) || len(head) >= 262 && string(head[257:262]) == "ustar"
}

type archive struct {
	list
	at   map[string]int // of infos, while they are read
	data map[string][]byte
	kept int
}

func (t *archive) Modes() bool { return true }

// entry adds one entry of the stream.
func (t *archive) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimLeft(h.Name, "/"))
	switch {
	case !fs.ValidPath(name):
		t.skip(h.Name, Outside)
		return nil
	case depth(name) > MaxDepth:
		t.skip(strings.Join(strings.SplitN(name, "/", MaxDepth+1)[:MaxDepth], "/"), TooDeep)
		return nil
	}
	if dir := hidden(name); dir != "" {
		t.skip(dir, Never)
		return nil
	}
	info := Info{Name: name, Size: h.Size, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid}
	link := path.Clean(strings.TrimLeft(h.Linkname, "/"))
	if h.Typeflag == tar.TypeLink && link == name {
		return nil
	}
	t.kept -= len(t.data[name]) // which is replaced
	delete(t.data, name)
	var data []byte
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		var err error
		if data, err = t.content(info, content); err != nil {
			return err
		}
	case tar.TypeDir:
	case tar.TypeSymlink:
		if info.Link = leads(name, h.Linkname, ""); info.Link == "" {
			t.skip(name, Outside)
		}
	case tar.TypeLink:
		at, ok := t.at[link]
		if !ok || !t.infos[at].Mode.IsRegular() {
			t.skip(name, Outside)
			return nil
		}
		t.infos[at].Links = max(t.infos[at].Links, 1) + 1
		data, info = t.data[t.infos[at].Name], t.infos[at]
		info.Name = name
		if !t.fits(name, len(data)) { // the other name may be replaced, and not free it
			data = nil
		}
		t.kept += len(data)
	default:
		t.skip(name, Special)
		return nil
	}
	if at, ok := t.at[name]; ok {
		t.infos[at] = info
	} else if !t.add(info) {
		return nil
	} else {
		t.at[name] = len(t.infos) - 1
	}
	if data != nil {
		t.data[name] = data
	}
	return nil
}

// content returns what is kept of a file; nil if nothing is.
func (t *archive) content(i Info, r io.Reader) ([]byte, error) {
	if i.Size > maxFile || unread[path.Ext(i.Name)] {
		return nil, nil
	}
	if !t.fits(i.Name, int(i.Size)) {
		return nil, nil
	}
	data := make([]byte, i.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, noEOF(err)
	}
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil, nil // no text, as Git tells it
	}
	t.kept += len(data)
	return data, nil
}

// fits reports whether there is space for the content of a name.
func (t *archive) fits(name string, size int) bool {
	if t.kept+size+t.names+perName*len(t.infos) > maxKept {
		t.skip(name, TooMuch)
		return false
	}
	return true
}

// noEOF keeps the end of a file from being taken for the end of the stream.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (t *archive) finish() {
	t.at = nil
	t.sort()
}

func (t *archive) Stat(name string) (Info, bool) { return resolve(t.find, name) }

func (t *archive) Read(name string, limit int64) ([]byte, error) {
	info, ok := t.Stat(name)
	if !ok || !info.Mode.IsRegular() {
		return nil, notRegular(name)
	}
	data, ok := t.data[info.Name]
	switch {
	case info.Size > limit:
		return nil, bounded.TooLarge(name, limit)
	case !ok:
		return nil, fmt.Errorf("%s: %w", name, errLeftOut)
	}
	return data, nil
}
