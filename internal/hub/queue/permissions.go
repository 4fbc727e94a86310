package queue

import (
	"fmt"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// Allowed are the subjects to which a client may publish and subscribe, and nothing else.
type Allowed struct {
	Publish, Subscribe []string
}

// Permissions are those of a worker: it asks the hub in its own name, takes and acknowledges
// units of its own vantage, and hears what is said to it. Of what is no name, which
// could mean more than one subject, there are none.
func Permissions(vantage, worker string) Allowed {
	if job.CheckName(vantage) != nil || job.CheckName(worker) != nil {
		return Allowed{}
	}
	a := Allowed{
		Publish:   []string{nextAPI + job.UnitsStream + "." + job.Consumer(vantage), ackAPI + job.UnitsStream + "." + job.Consumer(vantage) + ".>"},
		Subscribe: []string{job.Inbox(worker) + ".>", job.Control(vantage)},
	}
	for _, v := range job.Verbs() {
		a.Publish = append(a.Publish, job.Ask(vantage, worker, v))
	}
	return a
}

// Subjects of JetStream by which messages are asked for and acknowledged.
const (
	nextAPI = "$JS.API.CONSUMER.MSG.NEXT."
	ackAPI  = "$JS.ACK."
)

// ServerUsers is the list of users for the configuration of a NATS server of one's own, in
// the account that the hub uses: the workers that are not revoked, with their public keys.
func ServerUsers(workers []store.Worker) string {
	var b strings.Builder
	b.WriteString("users = [\n  # add the user of the hub here, it may publish and subscribe to everything in the account\n")
	for _, w := range workers {
		a := Permissions(w.Vantage, w.Name)
		if !w.Revoked.IsZero() || len(a.Publish) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  # %s, %s\n  {nkey: %s, permissions: {publish: {allow: [%s]}, subscribe: {allow: [%s]}}}\n",
			w.Name, w.Vantage, clean.N(w.Key, 64), quoted(a.Publish), quoted(a.Subscribe))
	}
	b.WriteString("]\n")
	return b.String()
}

func quoted(subjects []string) string {
	return `"` + strings.Join(subjects, `", "`) + `"`
}
