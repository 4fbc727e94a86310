package cli

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
)

// judge loads what the judging needs. Until packages inspect and exposure are whole,
// nothing is judged, and each deployment says so.
func (o *inspectOptions) judge(s streams, set *fingerprint.Set) (judging, event.Data, error) {
	advisories, err := o.advisoryOptions.load(s.err)
	if err != nil {
		return nil, event.Data{}, err
	}
	return func(filetree.Tree, event.Address) []*event.Target {
		why := message.Say("left-out.too-many")
		return []*event.Target{{Type: event.TypeTarget, Outcome: event.OutcomeOther, Files: &event.Files{
			Reach: event.FilesReachUnknown, Starts: event.StartsUnknown,
			Unjudged: []event.Location{{Pos: event.Pos{File: "."}, Says: why.English, Message: &why.Message}},
		}}}
	}, dataInfo(set, advisories.DB), nil
}
