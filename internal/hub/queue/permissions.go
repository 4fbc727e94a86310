package queue

import (
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"

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

// exports are what the account of the hub has for those of workers.
func exports() (services, streams []string) {
	return []string{job.AllRequests, nextAPI + job.UnitsStream + ".*", ackAPI + job.UnitsStream + ".>"}, []string{job.Control("*")}
}

// ServerAccounts is what the configuration of a NATS server of one's own needs: the account
// of the hub, of which the user has the given public NKey, and one for each worker that is
// not revoked. Why each has its own is said at auth.account.
func ServerAccounts(hub string, workers []store.Worker) string {
	var own, names strings.Builder
	for _, w := range workers {
		a := Permissions(w.Vantage, w.Name)
		if !w.Revoked.IsZero() || len(a.Publish) == 0 || !nkeys.IsValidPublicUserKey(w.Key) {
			continue
		}
		fmt.Fprintf(&names, ", worker-%s", w.Name)
		fmt.Fprintf(&own, "  worker-%s { # at %s\n    users: [{nkey: %s, permissions: {publish: {allow: [%s]}, subscribe: {allow: [%s]}}}]\n    imports: [\n",
			w.Name, w.Vantage, w.Key, quoted(a.Publish), quoted(a.Subscribe))
		for _, subject := range a.Publish {
			fmt.Fprintf(&own, "      {service: {account: clawsonar-hub, subject: %q}}\n", subject)
		}
		fmt.Fprintf(&own, "      {stream: {account: clawsonar-hub, subject: %q}}\n    ]\n  }\n", job.Control(w.Vantage))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "accounts {\n  clawsonar-hub {\n    jetstream: enabled\n    users: [{nkey: %s}]\n    exports: [\n", clean.N(hub, 64))
	services, streams := exports()
	for i, subject := range append(services, streams...) {
		if names.Len() == 0 {
			break // an empty list would mean all accounts
		}
		kind := "service"
		if i >= len(services) {
			kind = "stream"
		}
		fmt.Fprintf(&b, "      {%s: %q, accounts: [%s]}\n", kind, subject, strings.TrimPrefix(names.String(), ", "))
	}
	b.WriteString("    ]\n  }\n" + own.String() + "}\n")
	return b.String()
}

func quoted(subjects []string) string {
	return `"` + strings.Join(subjects, `", "`) + `"`
}
