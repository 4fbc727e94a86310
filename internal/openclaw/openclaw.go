// Package openclaw says what a gateway makes of its configuration, command line and
// environment, by release: how the file is read, where it listens, what it asks of
// a client, and whether it starts at all. It does no input or output of its own.
package openclaw

import (
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Env looks up a variable of the gateway's environment.
type Env func(name string) deploy.Value

// Document is a configuration as the gateway sees it: included files merged,
// variables substituted.
type Document struct {
	// Root is an object; nil if it cannot be read: Problems say why. What an include that
	// fails or is not in the files would have added is not there.
	Root     *json5.Node
	Problems []Problem // why the gateway would not take it, or not as meant
	Included []string  // files in the tree that it includes
	// Partial are what stands for something that is not known: an include of a file that is
	// not in the tree, or something beyond the bounds of this package. What is not found in
	// Root may be there.
	Partial []event.Pos
	// Written is, by value, what a string was before its variables were substituted, and Via
	// where the values that were put in come from. Missing are the variables of a string whose
	// values are not certain: not set (or empty, which is the same) or Unknown, or Present,
	// where the text still has the variable in it; or Assumed, where it has the value.
	Written map[*json5.Node]string
	Via     map[*json5.Node][]event.Pos
	Missing map[*json5.Node][]string
	// Vars are the variables that the configuration itself sets: see Environment.
	Vars map[string]deploy.Value
}

// Get returns what is at the keys; nil if there is nothing.
func (d *Document) Get(keys ...string) *json5.Node {
	if d == nil {
		return nil
	}
	return d.Root.Get(keys...)
}

// Problem is something in a configuration that the gateway does not take.
type Problem struct {
	Pos  event.Pos
	Path string // of the key, as "gateway.auth.mode"
	// ID and Args are a message.
	ID   string
	Args []message.Arg
	// Fatal: the gateway does not start because of it.
	Fatal bool
}

// Setting is a setting that counts, and where it is made; no Pos: it is the default.
type Setting struct {
	Value string // "" if it is not known
	Pos   event.Pos
	// Assumed: something that is not in the files may make it another: a variable of
	// the shell, or the configuration.
	Assumed bool
}

// Input is what a gateway is started with.
type Input struct {
	Doc       *Document // nil: the configuration is not in the files
	NoConfig  bool      // there is none: not in the files, and not outside of them either
	Command   *deploy.Command
	Env       Env
	Release   release.Version
	Container deploy.Tri
}

// Settings are the settings that count.
type Settings struct {
	Bind      Setting // loopback, lan, auto, tailnet, custom
	Host      Setting // of custom
	Port      Setting
	Mode      Setting // none, token, password, trusted-proxy
	Tailscale Setting // off, serve, funnel
	// Secret is the credential of the mode, and Where what kind of value it is.
	Secret Credential
	// Listens is where it listens: "loopback", "every", "tailnet", or an IPv4 address;
	// "" if that is not known. ListensAssumed: the configuration, which is not in the
	// files, may have it listen elsewhere.
	Listens        string
	ListensAssumed bool
	// Asks is what a client without a credential meets that reaches it directly, if it
	// starts: open, required, gated (by the proxy of mode trusted-proxy) or unknown.
	Asks event.AuthState
	// AsksBeyond is Asks where it listens beyond loopback: what is met by those who come
	// from elsewhere, whatever it may ask where it listens on loopback alone.
	AsksBeyond event.AuthState
	// AsksAlone is Asks if nothing is given from outside the files.
	AsksAlone event.AuthState
	// Generated: it makes a token at start, unless it is given one from outside the
	// files; Saved: and writes it into its configuration.
	Generated, Saved bool
	Starts           event.Starts
	// Refusal says why it does not start (Fatal), or may not. What a configuration that is
	// not in the files may have does not count for the latter.
	Refusal *Problem
	// Notes say what the answers hang on.
	Notes []Problem
}

// What Settings.Mode can be.
const (
	ModeNone         = "none"
	ModeToken        = "token"
	ModePassword     = "password"
	ModeTrustedProxy = "trusted-proxy"
)

// What Settings.Tailscale can be of a gateway that opens a way in by it.
const (
	TailscaleServe  = "serve"
	TailscaleFunnel = "funnel"
)

// BindLoopback is what Settings.Bind is of a gateway that only its own machine reaches.
const BindLoopback = "loopback"

// What Settings.Listens can be, besides an address.
const (
	ListensLoopback = "loopback"
	ListensEvery    = "every"
	ListensTailnet  = "tailnet"
)

// Credential is a token or password, as far as the files tell.
type Credential struct {
	Where CredentialWhere
	Text  string // if it is known: never printed
	Pos   event.Pos
	// Reference: it stands elsewhere, and the file only names it.
	Reference bool
	// Assumed: something that is not in the files may set another.
	Assumed bool
}

// CredentialWhere says what is known of a credential.
type CredentialWhere uint8

// What can be known of a credential.
const (
	NoCredential   CredentialWhere = iota // there is none
	KnownText                             // Text is what the gateway compares with
	ElsewhereKnown                        // it is set, to something that is not in the files
	MayBe                                 // it may be set from outside
)
