package target

// Reason says why something that a list names is no target.
type Reason string

// The reasons.
const (
	LeftStopped   Reason = "containers that do not run"
	LeftInner     Reason = "containers that publish no port"
	LeftHostNet   Reason = "containers that may be on the network of their machine, where what listens is not in the list: a scan of the machine without a target finds it"
	LeftAnyPort   Reason = "ports that are chosen when the container starts: the list of running containers has them"
	LeftDevice    Reason = "listeners on all addresses of one network interface: name its address"
	LeftInside    Reason = "services that only the cluster reaches"
	LeftNoAddress Reason = "services and routes without an address yet"
	LeftNoNodes   Reason = "ports on all nodes, as no node is in the list: get svc,nodes"
	LeftNoRoute   Reason = "web ports of gateways to which no route of the list leads"
	LeftWildcard  Reason = "host names with a *: name the hosts"
	LeftKind      Reason = "objects other than services, ingresses, HTTP routes, gateways and nodes"
	LeftOffline   Reason = "machines of the tailnet that are offline or have no address"
	LeftForeign   Reason = "machines of the tailnet that are somebody else's: exit nodes of a provider, guests"
	LeftUnnamed   Reason = "announcements whose host or port was not found out"
)

// leave counts something that is no target.
func (l *List) leave(why Reason) {
	if l.Left == nil {
		l.Left = map[Reason]int{}
	}
	l.Left[why]++
}

// maxValues bounds the values of a JSON object that is decoded as a whole: objects of
// a cluster hold some hundred.
const maxValues = 100_000

// maxReach bounds how many places one object leads to, and all that wait for the end of
// a list.
const maxReach = 1 << 22
