package wire

import (
	"errors"
	"syscall"
)

// portable translates the Windows socket errors that classify knows by their
// POSIX names, which package syscall invents on Windows and which no system
// call returns there. Numbers: Microsoft, "Windows Sockets Error Codes" and
// "System Error Codes".
func portable(err error) error {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err
	}
	switch no {
	case 10061, 1225: // WSAECONNREFUSED, ERROR_CONNECTION_REFUSED
		return syscall.ECONNREFUSED
	case 10054, 64: // WSAECONNRESET, ERROR_NETNAME_DELETED
		return syscall.ECONNRESET
	case 10053, 1236: // WSAECONNABORTED, ERROR_CONNECTION_ABORTED
		return syscall.ECONNABORTED
	case 10065, 1232: // WSAEHOSTUNREACH, ERROR_HOST_UNREACHABLE
		return syscall.EHOSTUNREACH
	case 10051, 1231: // WSAENETUNREACH, ERROR_NETWORK_UNREACHABLE
		return syscall.ENETUNREACH
	case 10060, 121: // WSAETIMEDOUT, ERROR_SEM_TIMEOUT
		return syscall.ETIMEDOUT
	case 10024: // WSAEMFILE
		return syscall.EMFILE
	case 10049: // WSAEADDRNOTAVAIL
		return syscall.EADDRNOTAVAIL
	case 10055: // WSAENOBUFS
		return syscall.ENOBUFS
	case 10013: // WSAEACCES
		return syscall.EACCES
	case 10047: // WSAEAFNOSUPPORT
		return syscall.EAFNOSUPPORT
	case 10022: // WSAEINVAL
		return syscall.EINVAL
	}
	return err
}
