package fingerprint

import "slices"

// Ports returns the ports of the products, each once, those of relatives and of
// helpers only if they are wanted.
func (s *Set) Ports(relatives, helpers bool) (out []uint16) {
	for _, p := range s.products {
		if p.Helper && !helpers || p.Relative && !relatives {
			continue
		}
		for _, port := range p.Ports {
			if !slices.Contains(out, port) {
				out = append(out, port)
			}
		}
	}
	return out
}
