package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// VEX is an OpenVEX document: what its author states about vulnerabilities in
// products. A nil *VEX states nothing.
type VEX struct {
	statements []statement
}

// statement is one statement, reduced to what decides.
type statement struct {
	ids      []string // upper case
	products []product
	why      string // "" when it does not suppress
	at       time.Time
}

// product is what a statement is about: all that is set must hold.
type product struct {
	hostPort string
	gateway  bool            // the npm package of the gateway
	version  release.Version // of it; zero is any
	part     []product       // one of these, too, if there are any
}

// maxParts is how many components the products of a document may have, those of
// a statement counted for each of its products.
const maxParts = 50_000

// The document as OpenVEX 0.2.0 has it, and the older spellings of a
// vulnerability and a product as a mere string (0.0.1). Unknown keys are
// refused: one that is misspelt would make a statement say more than was meant.
type (
	vexDoc struct {
		Context     string          `json:"@context"`
		ID          string          `json:"@id"`
		Author      string          `json:"author"`
		Role        string          `json:"role"`
		Timestamp   *time.Time      `json:"timestamp"`
		LastUpdated *time.Time      `json:"last_updated"`
		Version     json.RawMessage `json:"version"`
		Tooling     string          `json:"tooling"`
		Supplier    string          `json:"supplier"`
		Statements  []vexStatement  `json:"statements"`
	}
	vexStatement struct {
		ID              string           `json:"@id"`
		Version         json.RawMessage  `json:"version"`
		Vulnerability   vexVulnerability `json:"vulnerability"`
		VulnDescription string           `json:"vuln_description"`
		Timestamp       *time.Time       `json:"timestamp"`
		LastUpdated     *time.Time       `json:"last_updated"`
		Products        []vexProduct     `json:"products"`
		Subcomponents   []vexProduct     `json:"subcomponents"`
		Status          string           `json:"status"`
		Supplier        string           `json:"supplier"`
		StatusNotes     string           `json:"status_notes"`
		Justification   string           `json:"justification"`
		ImpactStatement string           `json:"impact_statement"`
		ActionStatement string           `json:"action_statement"`
		ActionTimestamp json.RawMessage  `json:"action_statement_timestamp"`
	}
	vexVulnerability struct {
		ID          string   `json:"@id"`
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Aliases     []string `json:"aliases"`
	}
	vexProduct struct {
		ID            string            `json:"@id"`
		Identifiers   map[string]string `json:"identifiers"`
		Hashes        map[string]string `json:"hashes"`
		Supplier      string            `json:"supplier"`
		Subcomponents []vexProduct      `json:"subcomponents"`
	}
)

// UnmarshalJSON reads the object, or the string of the older version.
func (v *vexVulnerability) UnmarshalJSON(data []byte) error {
	type plain vexVulnerability
	return textOr(data, &v.Name, (*plain)(v))
}

// UnmarshalJSON reads the object, or the string of the older version.
func (p *vexProduct) UnmarshalJSON(data []byte) error {
	type plain vexProduct
	return textOr(data, &p.ID, (*plain)(p))
}

func textOr(data []byte, text *string, object any) error {
	if data[0] == '"' {
		return json.Unmarshal(data, text)
	}
	return strict.JSON("", data, maxValues, object)
}

// justifications are those of OpenVEX for not_affected.
func justifications() []string {
	return []string{"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
		"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist"}
}

// LoadVEX reads an OpenVEX document, from the file of that name. A statement is
// about the package of the gateway, pkg:npm/openclaw or pkg:npm/openclaw@VERSION,
// or about one target, host:port. What is about neither, or about a vulnerability
// that db does not know, changes nothing: warnings name it, one line each.
func LoadVEX(file string, data []byte, db *DB) (vex *VEX, warnings []string, err error) {
	if len(data) > MaxDocument {
		return nil, nil, fmt.Errorf("%s: larger than %s: that is no VEX document for this product", file, bounded.Size(MaxDocument))
	}
	var doc vexDoc
	err = strict.JSON(file, data, maxValues, &doc)
	if json.Valid(data) && !strings.HasPrefix(doc.Context, "https://openvex.dev/ns") {
		err = strict.At(file, data, errors.New(`not an OpenVEX document: "@context" must begin with https://openvex.dev/ns`), "@context")
	}
	if err != nil {
		return nil, nil, err
	}
	vex = new(VEX)
	warned := map[string]bool{}
	warn := func(format string, args ...any) {
		if w := fmt.Sprintf(format, args...); !warned[w] {
			warned[w] = true
			warnings = append(warnings, w)
		}
	}
	parts := 0
	for i, in := range doc.Statements {
		fail := func(err error) error {
			return strict.At(file, data, fmt.Errorf("statement %d: %w", i+1, err), "statements", i)
		}
		s, err := in.reduce(&doc)
		if err != nil {
			return nil, nil, fail(err)
		}
		if !slices.ContainsFunc(s.ids, func(id string) bool { return db.Find(id) != nil }) {
			warn("%s is not among the advisories: its statement has no effect", cut(strings.Join(s.ids, ", "), 80))
			continue
		}
		for _, p := range in.Products {
			q, ok := p.reduce()
			if !ok {
				warn("product %q is neither pkg:npm/openclaw[@VERSION] nor host:port: what is said of it has no effect", cut(p.name(), 80))
				continue
			}
			if parts += len(p.Subcomponents) + len(in.Subcomponents); parts > maxParts {
				return nil, nil, fail(fmt.Errorf("more than %d components of products", maxParts))
			}
			for _, sub := range slices.Concat(p.Subcomponents, in.Subcomponents) {
				if part, ok := sub.reduce(); ok {
					q.part = append(q.part, part)
				} else {
					warn("component %q is not pkg:npm/openclaw[@VERSION]: what is said of it has no effect", cut(sub.name(), 80))
				}
			}
			if len(q.part) == 0 && len(p.Subcomponents)+len(in.Subcomponents) > 0 {
				continue
			}
			s.products = append(s.products, q)
		}
		if len(s.products) > 0 {
			vex.statements = append(vex.statements, s)
		}
	}
	// A later statement takes back an earlier one (OpenVEX 0.2.0, "Updating
	// Statements"); those of one time stay as they are in the document.
	slices.SortStableFunc(vex.statements, func(a, b statement) int { return a.at.Compare(b.at) })
	return vex, warnings, nil
}

func (in *vexStatement) reduce(doc *vexDoc) (statement, error) {
	var s statement
	for _, id := range slices.Concat([]string{in.Vulnerability.Name}, in.Vulnerability.Aliases) {
		if id != "" {
			s.ids = append(s.ids, strings.ToUpper(id))
		}
	}
	if len(s.ids) == 0 {
		return s, errors.New("vulnerability needs a name")
	}
	if len(in.Products) == 0 {
		return s, errors.New("products are needed: pkg:npm/openclaw[@VERSION] or host:port")
	}
	for _, t := range []*time.Time{doc.Timestamp, doc.LastUpdated, in.Timestamp, in.LastUpdated} {
		if t != nil {
			s.at = *t
		}
	}
	reason := in.ImpactStatement
	if in.Justification != "" {
		if !slices.Contains(justifications(), in.Justification) {
			return s, fmt.Errorf("justification %q is unknown: use one of %s", cut(in.Justification, 60), strings.Join(justifications(), ", "))
		}
		reason = in.Justification
	}
	switch in.Status {
	case "not_affected":
		if reason == "" {
			return s, errors.New("not_affected needs a justification or an impact_statement")
		}
		s.why = "not_affected: " + reason
	case "fixed":
		s.why = "fixed"
		if in.StatusNotes != "" {
			s.why += ": " + in.StatusNotes
		}
	case "affected", "under_investigation":
	default:
		return s, fmt.Errorf("status %q is unknown: use not_affected, affected, fixed or under_investigation", cut(in.Status, 40))
	}
	s.why = cut(strings.Join(strings.Fields(s.why), " "), maxText)
	return s, nil
}

// name is what to call a product in a warning.
func (p vexProduct) name() string {
	if p.ID == "" {
		return p.Identifiers["purl"]
	}
	return p.ID
}

// reduce tells which product it is; not ok when it is none of ours.
func (p vexProduct) reduce() (product, bool) {
	for _, id := range []string{p.ID, p.Identifiers["purl"]} {
		if q, ok := parseProduct(id); ok {
			return q, true
		}
	}
	return product{}, false
}

// parseProduct reads pkg:npm/openclaw[@VERSION], under any of the names of the
// gateway and with qualifiers that do not matter, or host:port.
func parseProduct(id string) (product, bool) {
	rest, ok := strings.CutPrefix(id, "pkg:npm/")
	if !ok {
		host, port, _ := strings.Cut(id, ":")
		n, err := strconv.ParseUint(port, 10, 16)
		at := strings.ToLower(host) + ":" + strconv.FormatUint(n, 10)
		if addr, notAddr := netip.ParseAddrPort(id); notAddr == nil {
			at, n, err = addr.String(), uint64(addr.Port()), nil
		}
		if err != nil || n == 0 || host == "" || strings.ContainsAny(id, "/@ ") {
			return product{}, false
		}
		return product{hostPort: at}, true
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	name, text, hasVersion := strings.Cut(rest, "@")
	if !gatewayPackage(name) {
		return product{}, false
	}
	p := product{gateway: true}
	if hasVersion {
		text, err := url.PathUnescape(text)
		if err != nil {
			return product{}, false
		}
		if p.version, err = release.Parse(text); err != nil {
			return product{}, false
		}
	}
	return p, true
}

// matches reports whether a product is what is assessed. One that names a
// version must name every release that fits, so it needs the exact one.
func (p product) matches(s Subject) bool {
	switch {
	case p.hostPort != "" && p.hostPort != strings.ToLower(s.HostPort):
		return false
	case p.gateway && !s.gateway():
		return false
	case !p.version.IsZero() && (s.Hint || len(s.Versions) != 1 || s.Versions[0] != p.version):
		return false
	}
	return len(p.part) == 0 || slices.ContainsFunc(p.part, func(q product) bool { return q.matches(s) })
}

func (s Subject) gateway() bool { return s.Package == "" || gatewayPackage(s.Package) }

// suppresses returns why the advisory does not count for what is assessed, ""
// when it does: the last statement about it decides.
func (v *VEX) suppresses(a *Advisory, s Subject) string {
	if v == nil {
		return ""
	}
	for _, st := range slices.Backward(v.statements) {
		named := slices.ContainsFunc(st.ids, func(id string) bool { return strings.EqualFold(id, a.ID) || id == a.CVE })
		if named && slices.ContainsFunc(st.products, func(p product) bool { return p.matches(s) }) {
			return st.why
		}
	}
	return ""
}
