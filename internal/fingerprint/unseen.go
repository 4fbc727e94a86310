package fingerprint

import "fmt"

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

func loadUnseen(data []byte) ([]Unseen, error) {
	var out []Unseen
	if err := decode(data, unseenFile, &out); err != nil {
		return nil, err
	}
	for i, u := range out {
		if !validID(u.ID) || u.Name == "" || u.Text == "" {
			return nil, fmt.Errorf("%s:%d: an entry needs an id, a name and a text", unseenFile, lineOf(data, i))
		}
	}
	return out, nil
}
