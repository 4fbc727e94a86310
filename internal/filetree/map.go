package filetree

import "io/fs"

// Map returns the tree of a map from names to content, for tests. Modes, which may be left out, are
// those of files whose mode is not 0600; of one with fs.ModeSymlink the content is where it
// leads. The tree tells modes only if there are some.
func Map(files map[string]string, modes ...map[string]fs.FileMode) Tree {
	m := &memory{archive: archive{data: map[string][]byte{}}, modes: len(modes) > 0}
	mode := map[string]fs.FileMode{}
	for _, some := range modes {
		for name, bits := range some {
			mode[name] = bits
			if bits.IsDir() {
				m.add(Info{Name: name, Mode: bits, UID: -1, GID: -1})
			}
		}
	}
	for name, text := range files {
		info := Info{Name: name, Size: int64(len(text)), Mode: 0o600, UID: -1, GID: -1, Links: 1}
		if bits, ok := mode[name]; ok {
			info.Mode = bits
		}
		if dir := hidden(name); dir != "" {
			m.skip(dir, Never)
			continue
		}
		if info.Mode&fs.ModeSymlink != 0 {
			if info.Link = leads(name, text, ""); info.Link == "" {
				m.skip(name, Outside)
			}
		}
		m.add(info)
		m.data[name] = []byte(text)
	}
	m.sort()
	return m
}

type memory struct {
	archive
	modes bool
}

func (m *memory) Modes() bool { return m.modes }
