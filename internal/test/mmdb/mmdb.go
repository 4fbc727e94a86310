// Package mmdb writes small files of the MaxMind DB format, for tests.
package mmdb

import (
	"bytes"
	"net/netip"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go4.org/netipx"
)

// Layouts of records.
type (
	// Map is a record of a layout of its own.
	Map = mmdbtype.Map
	// Text is a value of it.
	Text = mmdbtype.String
	// Number is a value of it.
	Number = mmdbtype.Uint32
)

// AS is a record of GeoLite2-ASN.
func AS(number uint32, name string) Map {
	return Map{"autonomous_system_number": Number(number), "autonomous_system_organization": Text(name)}
}

// Country is a record of GeoLite2-Country.
func Country(code string) Map {
	return Map{"country": Map{"iso_code": Text(code), "names": Map{"en": Text("A country")}}, "registered_country": Map{"iso_code": Text("ZZ")}}
}

// File is a file with a record for each of the prefixes. It panics where one cannot be
// written.
func File(kind string, records map[string]Map) []byte {
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, IncludeReservedNetworks: true, BuildEpoch: 1_790_000_000})
	if err != nil {
		panic(err)
	}
	for prefix, record := range records {
		p := netip.MustParsePrefix(prefix)
		if err := w.Insert(netipx.PrefixIPNet(p), record); err != nil {
			panic(err)
		}
	}
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		panic(err)
	}
	return out.Bytes()
}
