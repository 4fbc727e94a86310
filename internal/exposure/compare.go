package exposure

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Audit relates the findings of the gateway's own "security audit" to ours.
type Audit struct {
	Official []struct {
		ID   string   `yaml:"id"` // a * stands for any part
		Ours []string `yaml:"ours"`
		Why  []string `yaml:"why"`
	} `yaml:"official"`
	Ours []struct {
		ID  string `yaml:"id"`
		Why string `yaml:"why"`
	} `yaml:"ours"`
}

// LoadAudit reads the relation.
func LoadAudit(file string, data []byte) (*Audit, error) {
	a := new(Audit)
	if err := strict.YAML(file, data, a); err != nil {
		return nil, err
	}
	for _, o := range a.Official {
		if _, err := path.Match(o.ID, ""); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", file, o.ID, err)
		}
		for _, why := range o.Why {
			if because(why).ID == "" {
				return nil, fmt.Errorf("%s: %s: no reason is called %q", file, o.ID, why)
			}
		}
	}
	for _, o := range a.Ours {
		if because(o.Why).ID == "" {
			return nil, fmt.Errorf("%s: %s: no reason is called %q", file, o.ID, o.Why)
		}
	}
	return a, nil
}

// Official is one finding of the official audit.
type Official struct {
	ID       string `json:"checkId"`
	Severity string `json:"severity"`
}

// MaxAudit is the most that an audit's output may have, in bytes; maxAudit bounds the
// values of its JSON.
const (
	MaxAudit = 8 << 20
	maxAudit = 100_000
)

// ReadAudit reads what "openclaw security audit --json" printed. What it prints of a
// configuration that it refuses has no findings, and is an error.
func ReadAudit(file string, data []byte) ([]Official, error) {
	var doc struct {
		OK       *bool       `json:"ok"`
		Findings *[]Official `json:"findings"`
	}
	err := bounded.JSON(data, maxAudit)
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	switch {
	case err != nil:
	case doc.Findings == nil && doc.OK != nil && !*doc.OK:
		return nil, fmt.Errorf("%s: the audit refused the configuration and has no findings to compare", file)
	case doc.Findings == nil:
		err = errors.New("it has no findings")
	case slices.ContainsFunc(*doc.Findings, func(o Official) bool { return o.ID == "" }):
		err = errors.New("a finding has no checkId")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: no output of \"openclaw security audit --json\": %w", file, err)
	}
	return *doc.Findings, nil
}

// HasModes reports whether the files of a model have modes that Judge judges.
func HasModes(m *deploy.Model) bool {
	return slices.ContainsFunc(m.Files, func(f deploy.File) bool { return f.Mode != 0 })
}

// Audited returns the target of the gateway that an audit was of, among those that
// Judge made of the model: the first whose configuration is in the files, else the
// first; nil if there is none.
func Audited(m *deploy.Model, targets []*event.Target) *event.Target {
	for i, g := range m.Gateways { // Judge takes them in this order
		if g.Config != nil && i < len(targets) {
			return targets[i]
		}
	}
	if len(targets) > 0 && targets[0].Files != nil {
		return targets[0]
	}
	return nil
}

// Agreement says whether two findings agree.
type Agreement string

// The agreements.
const (
	Same        Agreement = "same"
	OursOnly    Agreement = "ours only"
	TheirsOnly  Agreement = "theirs only"
	Unexplained Agreement = "unexplained"
)

// Row is one line of a comparison.
type Row struct {
	Agreement Agreement
	Theirs    Official // its zero value: they have none
	Ours      []string // ids; none: we have none
	Why       message.Text
}

// Compare says which findings of the official audit of the same configuration ours
// agree with, and why the others differ. Modes says whether the files have modes that
// were judged.
func (a *Audit) Compare(t *event.Target, official []Official, modes bool) []Row {
	ids := map[string]bool{}
	for i := range t.Findings {
		ids[t.Findings[i].ID] = true
	}
	claimed := map[string]bool{}
	var out []Row
	for _, o := range official {
		out = append(out, a.row(t, o, modes, ids, claimed))
	}
	for i := range t.Findings {
		id := t.Findings[i].ID
		if claimed[id] {
			continue
		}
		claimed[id] = true
		r := Row{Agreement: Unexplained, Ours: []string{id}}
		for _, o := range a.Ours {
			if o.ID == id {
				r.Agreement, r.Why = OursOnly, because(o.Why)
			}
		}
		out = append(out, r)
	}
	order := []Agreement{Unexplained, TheirsOnly, OursOnly, Same}
	slices.SortStableFunc(out, func(x, y Row) int {
		return cmp.Compare(slices.Index(order, x.Agreement), slices.Index(order, y.Agreement))
	})
	return out
}

func (a *Audit) row(t *event.Target, o Official, modes bool, ids, claimed map[string]bool) Row {
	r := Row{Agreement: Unexplained, Theirs: o}
	for _, known := range a.Official {
		if ok, _ := path.Match(known.ID, o.ID); !ok {
			continue
		}
		for _, id := range known.Ours {
			if ids[id] {
				claimed[id] = true
				r.Ours = append(r.Ours, id)
			}
		}
		if len(r.Ours) > 0 {
			r.Agreement = Same
			return r
		}
		for _, why := range known.Why {
			if why == "no-modes" && modes {
				continue
			}
			if explains(why, t) {
				r.Agreement, r.Why = TheirsOnly, because(why)
				return r
			}
		}
		return r
	}
	return r
}

// explains reports whether a reason holds for a target.
func explains(why string, t *event.Target) bool {
	noted := func(ids ...string) bool {
		return slices.ContainsFunc(t.Messages, func(m message.Message) bool { return slices.Contains(ids, m.ID) })
	}
	switch why {
	case "generated":
		return noted("inspect.token-generated", "inspect.token-saved")
	case "may-refuse":
		return noted("inspect.may-refuse")
	case "asked":
		return t.Auth != nil && (t.Auth.State == event.AuthRequired || t.Auth.State == event.AuthGated)
	case "no-proxy":
		return !slices.ContainsFunc(t.Files.Ways, func(w event.Way) bool { return w.Through != "" })
	case "origins-seeded":
		return t.Files.Reach.Rank() > event.FilesLoopback.Rank()
	case "tailnet":
		return t.Files.Reach == event.FilesTailnet
	}
	return true // it is one that always holds
}

// because says a reason.
func because(why string) message.Text {
	switch why {
	case "summary":
		return message.Say("compare.summary")
	case "generated":
		return message.Say("compare.generated")
	case "may-refuse":
		return message.Say("compare.may-refuse")
	case "asked":
		return message.Say("compare.asked")
	case "client":
		return message.Say("compare.client")
	case "both-known":
		return message.Say("compare.both-known")
	case "no-proxy":
		return message.Say("compare.no-proxy")
	case "origins-seeded":
		return message.Say("compare.origins-seeded")
	case "tailnet":
		return message.Say("compare.tailnet")
	case "text-differs":
		return message.Say("compare.text-differs")
	case "by-design":
		return message.Say("compare.by-design")
	case "rate-limit":
		return message.Say("compare.rate-limit")
	case "live":
		return message.Say("compare.live")
	case "agent":
		return message.Say("compare.agent")
	case "beside":
		return message.Say("compare.beside")
	case "reference":
		return message.Say("compare.reference")
	case "hooks-token":
		return message.Say("compare.hooks-token")
	case "no-modes":
		return message.Say("compare.no-modes")
	case "link":
		return message.Say("compare.link")
	case "decides":
		return message.Say("compare.decides")
	case "unknown":
		return message.Say("compare.unknown")
	case "no-check":
		return message.Say("compare.no-check")
	case "no-start":
		return message.Say("compare.no-start")
	case "more-files":
		return message.Say("compare.more-files")
	case "dead":
		return message.Say("compare.dead")
	case "credential":
		return message.Say("compare.credential")
	}
	return message.Text{}
}
