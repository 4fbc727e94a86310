package store

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
)

// ID names a run or a gateway. It is made of what it names, so that a database that is
// made again has the same ones, and links stay valid.
type ID int64

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// MakeID returns the id of what the parts name.
func MakeID(parts ...string) ID {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return ID(binary.BigEndian.Uint64(sum[:8]) >> 1) // both databases have signed numbers
}

// String returns 13 characters.
func (id ID) String() string {
	return idText.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// ParseID reads what String writes.
func ParseID(text string) (ID, error) {
	b, err := idText.DecodeString(text)
	if err != nil || len(text) != 13 || len(b) != 8 || b[0] > 0x7f {
		return 0, errors.New("not an id")
	}
	return ID(binary.BigEndian.Uint64(b)), nil
}
