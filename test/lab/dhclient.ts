/**
 * The stock DHCP client (isc-dhcp-client) in a namespace.
 *
 * Owns: its configuration, and the script it calls: Debian's own would write the /etc/resolv.conf of the machine.
 * Promises: the script sets address, MTU, routes (classless static routes, RFC 3442, instead of the router option when both come) and the
 * namespace's resolv.conf, and leaves what the server said in a file.
 */
import { chmod, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Daemon } from './daemon.js';
import { eventually } from './eventually.js';

const CONFIG = `
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
request subnet-mask, broadcast-address, routers, rfc3442-classless-static-routes, domain-name, domain-name-servers, interface-mtu;
timeout 60;
retry 1;
initial-delay 0;
initial-interval 1;
backoff-cutoff 2;
`;

const SCRIPT = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
forget() {
  ip -4 addr flush dev "$interface"
  : > "$LAB_RESOLV_CONF"
  rm -f "$LAB_LEASE"
}
classless() {
  while [ $# -gt 0 ]; do
    bits=$1; shift
    net=; dots=0
    while [ $dots -lt 4 ]; do
      octet=0
      if [ $((dots * 8)) -lt "$bits" ]; then octet=$1; shift; fi
      net=$net\${net:+.}$octet
      dots=$((dots + 1))
    done
    via=$1.$2.$3.$4; shift 4
    if [ "$via" = 0.0.0.0 ]; then ip -4 route replace "$net/$bits" dev "$interface"
    else ip -4 route replace "$net/$bits" via "$via" dev "$interface" onlink; fi
  done
}
case $reason in
PREINIT) ip link set dev "$interface" up ;;
BOUND|RENEW|REBIND|REBOOT)
  [ -n "$old_ip_address" ] && [ "$old_ip_address" != "$new_ip_address" ] && forget
  [ -n "$new_interface_mtu" ] && ip link set dev "$interface" mtu "$new_interface_mtu"
  ip -4 addr replace "$new_ip_address/\${new_subnet_mask:-32}" dev "$interface" valid_lft "$new_dhcp_lease_time" preferred_lft "$new_dhcp_lease_time"
  if [ -n "$new_rfc3442_classless_static_routes" ]; then classless $new_rfc3442_classless_static_routes
  else for router in $new_routers; do ip -4 route replace default via "$router" dev "$interface"; break; done; fi
  {
    [ -n "$new_domain_name" ] && echo "search $new_domain_name"
    for server in $new_domain_name_servers; do echo "nameserver $server"; done
  } > "$LAB_RESOLV_CONF"
  { echo "reason=$reason"; env | sed -n 's/^new_//p'; } > "$LAB_LEASE.new"
  mv "$LAB_LEASE.new" "$LAB_LEASE" ;;
EXPIRE|FAIL|RELEASE|STOP) forget ;;
esac
exit 0
`;

/** What the server said, by dhclient's names: `ip_address`, `subnet_mask`, `routers`, `interface_mtu`, `dhcp_lease_time`, `reason`, … */
export type DhcpLease = Readonly<Record<string, string>>;

export interface DhclientOptions {
  /** Own to this client. */
  readonly dir: string;
  readonly device: string;
  readonly resolvConf: string;
  /** Starts a command in the namespace. */
  readonly spawn: (argv: readonly [string, ...string[]], name: string) => Daemon;
}

export class Dhclient {
  readonly #options: DhclientOptions;
  #daemon: Daemon | undefined;

  constructor(options: DhclientOptions) {
    this.#options = options;
  }

  get #leaseFile(): string {
    return path.join(this.#options.dir, 'dhcp-lease');
  }

  /** Starts the client (again) and resolves with the lease it gets. Rejects, with what the client printed, when it gets none in time. */
  async start(timeoutMs = 15_000): Promise<DhcpLease> {
    await this.stop();
    const { dir, device, resolvConf } = this.#options;
    const file = (name: string): string => path.join(dir, name);
    // AppArmor confines /sbin/dhclient to the system's own script and lease files; a copy is not confined.
    await copyFile('/sbin/dhclient', file('dhclient'));
    await writeFile(file('dhclient.conf'), CONFIG);
    await writeFile(file('dhclient-script'), SCRIPT);
    await chmod(file('dhclient-script'), 0o755);
    await rm(this.#leaseFile, { force: true });
    const argv = [file('dhclient'), '-4', '-d', '-v', '-cf', file('dhclient.conf'), '-sf', file('dhclient-script')] as const;
    const state = ['-lf', file('dhclient.leases'), '-pf', file('dhclient.pid')] as const;
    const env = ['-e', `LAB_RESOLV_CONF=${resolvConf}`, '-e', `LAB_LEASE=${this.#leaseFile}`] as const;
    const daemon = this.#options.spawn([...argv, ...state, ...env, device], 'dhclient');
    this.#daemon = daemon;
    try {
      return await eventually('a DHCP lease', () => this.lease(), { timeoutMs });
    } catch (error) {
      throw new Error(`no DHCP lease in ${timeoutMs} ms:\n${daemon.output()}`, { cause: error });
    }
  }

  /** The lease in force; undefined when there is none. */
  async lease(): Promise<DhcpLease | undefined> {
    const text = await readFile(this.#leaseFile, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : Object.fromEntries(text.trim().split('\n').map(splitPair));
  }

  /** All the client has printed. */
  output(): string {
    return this.#daemon?.output() ?? '';
  }

  /** Ends the client, as a VM that is switched off does: without releasing the lease. */
  async stop(): Promise<void> {
    await this.#daemon?.stop('SIGKILL');
    this.#daemon = undefined;
  }
}

function splitPair(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}
