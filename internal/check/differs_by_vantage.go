package check

import "github.com/clawsonar/clawsonar/internal/event"

// DiffersByVantage is the check of results from several vantages, see package stored. It
// is none of All: one scan has one vantage.
func DiffersByVantage() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "differs-by-vantage",
		Title:    "Vantages see different verdicts",
		Severity: event.Info,
		Needs:    event.NeedsVantages,
		When: `Streams of several vantages were merged, and they do not have the same verdict of
this place: each vantage is named with what it saw and when its scan began. A
vantage at which nothing answered is named only if its scan asked there: it has
a line for the place, or it is complete and was asked for the same range, with
the same settings.`,
		Why: `Something between the vantages and the gateway decides who gets to it: a firewall,
a proxy, an allow-list, a route, or the time between the scans. The worst
verdict counts: what is open from one place is open. One that is unclear from
one place may be open from there.`,
		Fix: `Find out what makes the difference, and whether it is meant; close the way that
leads there from the vantage with the worst verdict.`,
		Steps: `1. Read which vantage saw what: it is in the finding.
2. Scan again from both at the same time, to see that it is no matter of time:
   "clawsonar scan -vantage NAME -o jsonl=NAME.jsonl", then
   "clawsonar diff ONE.jsonl OTHER.jsonl".
3. Look at the firewall, the proxy and the allow-lists in front of the gateway for
   a rule about where a connection comes from.
4. If the difference is meant, declare it: a posture has verdicts by vantage
   ("clawsonar verify").`,
		Controls:   []string{},
		References: []string{},
		Relatives:  true,
	}}
}
