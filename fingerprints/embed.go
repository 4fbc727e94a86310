// Package fingerprints carries what clawsonar knows, as data.
package fingerprints

import "embed"

// FS holds one YAML file a product, fronts.yaml, known.yaml, unseen.yaml, the
// release tables, the advisories, and which listeners of this machine are left
// alone.
//
//go:embed *.yaml releases/*.json advisories/*.json local/*.yaml
var FS embed.FS

// Paths are those that a fingerprint file which is not built in may ask for.
//
//go:embed permitted/paths.yaml
var Paths []byte
