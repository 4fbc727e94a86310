//go:build unix

package filetree

import (
	"io/fs"
	"syscall"
)

// safeOpen keeps an open from following a link and from waiting for a pipe's other end.
const safeOpen = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func owner(i fs.FileInfo, out *Info) {
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		out.UID, out.GID, out.Links = int(s.Uid), int(s.Gid), int(s.Nlink)
	}
}
