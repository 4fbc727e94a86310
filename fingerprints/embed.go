// Package fingerprints carries what clawsonar knows, as data.
package fingerprints

import "embed"

// FS holds one YAML file a product, fronts.yaml, known.yaml, unseen.yaml, the
// release tables, the advisories, the keys of configurations, how the official audit relates to ours, and which listeners of this machine are left
// alone.
//
//go:embed *.yaml releases/*.json advisories/*.json local/*.yaml config/keys.txt config/audit.yaml
var FS embed.FS

// Paths are those that a fingerprint file which is not built in may ask for.
//
//go:embed permitted/paths.yaml
var Paths []byte
