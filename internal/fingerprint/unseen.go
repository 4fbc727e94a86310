package fingerprint

import (
	"errors"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// unseenFile says of what has no fingerprint why it has none.
const unseenFile = "unseen.yaml"

// Unseen is a product that people ask for and that has no fingerprint, or none
// of its own, and what can be seen of it from outside.
type Unseen struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	Text string `yaml:"text"`
}

// Unseen lists what cannot be seen from outside.
func (s *Set) Unseen() []Unseen { return s.unseen }

type unseenSpec struct {
	Unseen []Unseen `yaml:"unseen"`
}

func (file *unseenSpec) check(data []byte) error {
	for i, u := range file.Unseen {
		if !validID(u.ID) || u.Name == "" || u.Text == "" {
			return strict.At(unseenFile, data, errors.New("an entry needs an id, a name and a text"), "unseen", i)
		}
	}
	return nil
}
