// Preloaded into every gateway: a connection or a name look-up that would leave
// this machine fails as if there were no network. Releases ask for updates,
// model catalogs and plugin feeds as they start, each with its own switch.
"use strict";
const dns = require("node:dns");
const net = require("node:net");

const local = (host) =>
  !host || host === "localhost" || host === "::1" || host === "0.0.0.0" || host === "::" ||
  (net.isIPv4(host) && host.startsWith("127."));

const refusal = (host) =>
  Object.assign(new Error(`lab: ${host} is outside this machine`), { code: "ENETUNREACH", errno: -101, syscall: "connect" });

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  // Either (options), (port, host) or (path); node:net passes the first two on
  // as one array.
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  let host = typeof second === "string" ? second : undefined;
  if (first && typeof first === "object") host = first.path ? undefined : first.host;
  if (local(host)) return connect.apply(this, args);
  process.nextTick(() => this.destroy(refusal(host)));
  return this;
};

const lookup = dns.lookup;
dns.lookup = function (host, ...rest) {
  if (local(host)) return lookup.call(this, host, ...rest);
  process.nextTick(rest[rest.length - 1], refusal(host));
};
const lookupPromise = dns.promises.lookup;
dns.promises.lookup = async function (host, ...rest) {
  if (local(host)) return lookupPromise.call(this, host, ...rest);
  throw refusal(host);
};
require("node:module").syncBuiltinESMExports();
