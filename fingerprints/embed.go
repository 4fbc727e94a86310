// Package fingerprints carries what clawsonar knows, as data.
package fingerprints

import "embed"

// FS holds one YAML file a product, fronts.yaml, known.yaml, unseen.yaml, the release tables and the
// advisories.
//
//go:embed *.yaml releases/*.json advisories/*.json
var FS embed.FS
