// Package captures carries the recorded answers of real gateways, for the
// replicas of tests and of the demo.
package captures

import "embed"

// FS holds one folder a product and one file a case.
//
//go:embed */*.yaml
var FS embed.FS
