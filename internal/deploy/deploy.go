// Package deploy is the model of a deployment as its files declare it: gateways,
// doors that lead to them, secrets and files, each with the position of the setting
// that makes it. Readers of files add to it; what judges walks over it.
package deploy

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Model is all that the files of one tree declare.
type Model struct {
	Gateways []*Gateway
	Configs  []*Config
	Images   []*Image
	Doors    []*Door
	Spaces   map[Space]*SpaceInfo
	Secrets  []Secret
	Files    []File
	// Releases are what package.json and the like say of the release, for gateways near them.
	Releases []Value
	Gaps     []Gap
	// FilesTogether are files that only make sense together, and are read once all others are.
	FilesTogether map[Kind][]string
}

// Together notes a file that is read with others of its kind.
func (m *Model) Together(kind Kind, file string) {
	if m.FilesTogether == nil {
		m.FilesTogether = map[Kind][]string{}
	}
	m.FilesTogether[kind] = append(m.FilesTogether[kind], file)
}

// Space is a network namespace: what listens on loopback in one is reached over
// loopback from there alone.
type Space string

// Host is the namespace of what is not in a container or pod. Others are named by
// their readers, uniquely within the tree; nothing is told by the name.
const Host Space = "host"

// SpaceInfo is what is known of a namespace besides what listens in it.
type SpaceInfo struct {
	Made      Kind              // the kind of file that makes it, where that counts: KindCompose, KindKubernetes
	Domain    string            // where names are looked up: the same for all services of a Compose project, all of a cluster's namespace
	Names     []string          // by which others of the domain reach it
	Container bool              // a container or pod, and no host
	Addresses []string          // fixed addresses and subnets, as written
	Labels    map[string]string // of a pod, for selectors; of a container
	LabelPos  map[string]event.Pos
	Ports     map[string]int // named ports
	// Mounts say where files of the tree appear: container path to path in the tree. Build is the
	// directory of its Dockerfile in the tree, "" if it is not built.
	Mounts map[string]string
	Build  string
	// Holds are objects of the cluster whose content its volumes show, as spaces that stand for them.
	Holds []string
	Pos   event.Pos
}

// State says what the files tell of a setting.
type State uint8

// The states of settings.
const (
	Unset   State = iota // nothing sets it
	Set                  // Text is its value, which may be empty
	Assumed              // Text is what stands if nothing outside the files sets it, such as a variable of the shell
	Present              // it is set, to a value that is not in the files: a secret of the platform
	Unknown              // it may be set from outside
)

// Value is a setting. Text may be a secret: it is never printed, Display says what may be.
type Value struct {
	State State
	Text  string
	Pos   event.Pos   // of the setting; of what may set it where State is Unknown
	Via   []event.Pos // where its parts come from: the line of a variable in .env
}

// IsSet reports whether a value is known and not empty.
func (v Value) IsSet() bool { return (v.State == Set || v.State == Assumed) && v.Text != "" }

// Gateway is a gateway that something starts, or that a configuration alone
// describes (Command is nil then).
type Gateway struct {
	Space     Space
	SpacePos  event.Pos // of the setting that puts it into another's namespace: network_mode, hostNetwork; zero if none does
	Name      string    // of the service, unit or container; "" if it has none
	Kind      Kind      // of the file that starts it; KindConfig if none does
	Pos       event.Pos
	Container Tri // whether the product takes itself to be in a container

	Command *Command
	Env     map[string]Value
	// EnvFrom are the places outside the files that may set further variables: a Secret, the
	// secrets of a platform. A variable that Env lacks is Unknown then.
	EnvFrom []event.Pos

	Release Value // of an image tag, a package.json, an install command; Unset if nothing says
	// Image is the image, as written, and Build the directory of a Dockerfile.
	Image Value
	Build string
	// BuildFile is the Dockerfile in the tree, where it is not the usual one of Build.
	BuildFile string
	// Mounts say where files of the tree appear: container path to path in the tree
	// (without a leading slash). MountsOutside are container paths that hold what is not in the tree.
	Mounts        map[string]string
	MountsOutside []string
	// ConfigNames name configurations made by a ConfigMap or the like: see Config.Name.
	ConfigNames []string
	// Candidate: it is a gateway only if its image (Build) or its script is.
	Candidate bool

	// NoConfig: it has no configuration outside the files either, such as a container
	// without a volume.
	NoConfig bool

	Root   *event.Pos // it runs as root: the setting that says so, or the command
	Config *Config    // what it reads, once linked; nil if that is not in the files
}

// Command is the command line of the gateway, after shell expansion where that is known.
type Command struct {
	Args  []Value          // all, as words
	Flags map[string]Value // by name without dashes: bind, port, auth, token, password, tailscale, dev, profile, allow-unconfigured ...; "true" for one without a value
	Env   map[string]Value // variables that the command line itself sets before the gateway starts
	User  Value            // whom it becomes before that (gosu, sudo -u); Unset: anyone who starts it
	Pos   event.Pos
}

// Config is a configuration file of the gateway.
type Config struct {
	File string // in the tree; of one inside another file: that file
	Name string // of a ConfigMap: "NAMESPACE/NAME", else ""
	Data []byte // the text
	// Line is what to add to the lines of Data, Column to the columns: where it begins inside another file.
	Line, Column int
	// Writes is the path that the file that holds it writes it to, of a script; "" else.
	Writes string
	State  string // the state directory in the tree, "" if it is not in one
	Pos    event.Pos
}

// Image is what a Dockerfile makes.
type Image struct {
	Dir     string // of the build context in the tree
	File    string
	Release Value
	Base    Value
	Gateway bool // its command starts a gateway
	Command *Command
	Env     map[string]Value
	Copies  map[string]Value // path in the image to path in the tree
	Root    *event.Pos
	Pos     event.Pos
}

// Tri is yes, no or not known.
type Tri uint8

// The three answers.
const (
	NotKnown Tri = iota
	Yes
	No
)

// Kind is what makes a node: the kind of file or program.
type Kind string

// The kinds.
const (
	KindConfig     Kind = "openclaw.json"
	KindCompose    Kind = "compose"
	KindKubernetes Kind = "kubernetes"
	KindDockerfile Kind = "dockerfile"
	KindSystemd    Kind = "systemd"
	KindQuadlet    Kind = "quadlet"
	KindLaunchd    Kind = "launchd"
	KindScript     Kind = "script"
	KindFly        Kind = "fly"
	KindRender     Kind = "render"
	KindRailway    Kind = "railway"
	KindNorthflank Kind = "northflank"
	KindPackage    Kind = "package.json"
	KindProcess    Kind = "process"

	KindNginx       Kind = "nginx"
	KindCaddy       Kind = "caddy"
	KindTraefik     Kind = "traefik"
	KindHAProxy     Kind = "haproxy"
	KindApache      Kind = "apache"
	KindEnvoy       Kind = "envoy"
	KindCloudflared Kind = "cloudflared"
	KindTailscale   Kind = "tailscale serve"
	KindFunnel      Kind = "tailscale funnel"
	KindFrp         Kind = "frp"
	KindNgrok       Kind = "ngrok"
	KindCpolar      Kind = "cpolar"
	KindSSH         Kind = "ssh -R"
	KindSocat       Kind = "socat"
	KindIngress     Kind = "ingress"
	KindService     Kind = "service"
	KindPort        Kind = "published port"
)

// Reach says who gets packets to something.
type Reach = event.FilesReach

// Door accepts on one side and leads to the other: a published port, a proxy, a tunnel.
type Door struct {
	Kind    Kind
	Name    string // of the server, Service, tunnel
	In      Listen
	To      Endpoint
	Path    string    // the prefix of paths that it takes; "" or "/" is all
	PathPos event.Pos // of what says the prefix; zero if nothing does
	// Bytes: it forwards bytes and knows nothing of HTTP: no header is added or changed.
	// A published port keeps the client's address (Bytes is false, Transparent true).
	Bytes, Transparent bool
	BytesPos           event.Pos // of the setting that makes it forward bytes, if it is another than Pos
	// Headers is what it does to request headers, by their name in lower case. One that
	// is not named is passed on as the client sent it.
	Headers map[string]Header
	// DropsOthers: headers that Headers does not name are not passed on.
	DropsOthers bool
	// Login is what asks before anything is passed on; nil if nothing does.
	Login *Login
	TLS   Tri       // whether clients speak TLS to it
	Own   bool      // the gateway makes it itself
	Pos   event.Pos // of the setting that makes it: proxy_pass, the port, the tunnel's service
}

// Header returns what becomes of a request header, by its name in any case.
func (d *Door) Header(name string) Header {
	h, ok := d.Headers[strings.ToLower(name)]
	if !ok && d.DropsOthers {
		h.Does, h.Pos = Removes, d.Pos
	}
	return h
}

// Listen is where a door accepts.
type Listen struct {
	Space   Space
	Address string // "" is every address; "127.0.0.1", "::1", "tailnet" or another one
	Port    int    // 0: not known, or not of that kind
	// Reach says who gets there by what the door is (a tunnel, a load balancer);
	// "" if that follows from Space and Address.
	Reach Reach
	// Names are the host names that clients use: server_name, host of an Ingress.
	Names []Value
	Pos   event.Pos // of listen, host_ip, the site's address, the tunnel's hostname
}

// Endpoint is where a door leads.
type Endpoint struct {
	Space Space  // it connects from here
	Host  string // a name or address as written; "" is loopback of Space
	Port  int    // 0 if not known
	Name  string // of the port, instead of its number
	TLS   bool
	// Select are labels that pods must have, instead of Host.
	Select map[string]string
}

// Header is what a door does to a request header.
type Header struct {
	Does   Does
	From   Source
	Secret *Value // the credential that it puts there
	Pos    event.Pos
}

// Does is what becomes of a header.
type Does uint8

// What becomes of a header.
const (
	Passes  Does = iota // as the client sent it
	Sets                // overwritten
	Appends             // the client's, and more
	Removes
)

// Source is what a header is set to.
type Source uint8

// What a header is set to.
const (
	FromElse   Source = iota // anything else
	FromPeer                 // the address of the client
	FromLogin                // what the login in front found out
	FromClient               // what the client sent, in this or another header
	FromConst                // a constant, the same for everybody
)

// Login is what asks before a door opens.
type Login struct {
	Kind string // "basic", "forward-auth", "oauth", "allow-list", "client-certificate", "access"
	Pos  event.Pos
	// Unproven: the file says that something is asked, not what: a policy kept elsewhere.
	Unproven bool
}

// Secret is a secret that a file holds in clear.
type Secret struct {
	What  string // one of those below, or the name of the setting
	Kind  Kind   // of the file
	Value Value
	Image bool // it becomes part of an image
	// Published: the file is an example that others have as well.
	Example bool
}

// What secrets are that a gateway itself asks for.
const (
	GatewayToken    = "gateway token"
	GatewayPassword = "gateway password"
	HooksToken      = "hooks token"
)

// File is a file or directory of a state directory, for its modes.
type File struct {
	Path string
	Mode uint32 // permission bits
	Dir  bool
	Link bool
	UID  int // -1 if not known
	What FileWhat
}

// FileWhat is what a file of a deployment holds.
type FileWhat string

// What files hold.
const (
	StateDir     FileWhat = "state directory"
	ConfigFile   FileWhat = "configuration"
	IncludeFile  FileWhat = "included configuration"
	BackupFile   FileWhat = "backup of the configuration"
	EnvFile      FileWhat = "environment"
	Credentials  FileWhat = "credentials"
	AuthProfiles FileWhat = "authentication profiles"
	Sessions     FileWhat = "sessions"
	Database     FileWhat = "database"
	SecretsFile  FileWhat = "secrets"
	Approvals    FileWhat = "execution approvals"
	LogFile      FileWhat = "log"
	TLSKey       FileWhat = "TLS key"
	UnitFile     FileWhat = "unit"
	LeftOver     FileWhat = "state directory of an earlier name"
)

// Gap is what was found and could not be judged.
type Gap struct {
	// Minor: whatever it is, it lets nobody in whom the rest keeps out: a policy that keeps
	// more out, or something that is about the release alone.
	Minor bool
	Kind  Kind   // what it seems to be
	Why   string // id of a message without arguments: see inspect
	Pos   event.Pos
}

// Space adds a namespace, or returns the one that is there.
func (m *Model) Space(s Space) *SpaceInfo {
	if m.Spaces == nil {
		m.Spaces = map[Space]*SpaceInfo{}
	}
	if m.Spaces[s] == nil {
		m.Spaces[s] = &SpaceInfo{Container: s != Host}
	}
	return m.Spaces[s]
}

// Nodes counts all that is in the model.
func (m *Model) Nodes() int {
	return len(m.Gateways) + len(m.Configs) + len(m.Images) + len(m.Doors) + len(m.Spaces) + len(m.Secrets) + len(m.Files) + len(m.Gaps)
}
