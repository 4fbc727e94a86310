// Package fingerprints carries what clawsonar knows, as data.
package fingerprints

import "embed"

// FS holds one YAML file a product, fronts.yaml, and the release tables.
//
//go:embed *.yaml releases/*.json
var FS embed.FS
