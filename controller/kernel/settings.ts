/**
 * The settings of a Hotori process.
 *
 * Owns: every key with its default, its text form, its checks and the sentence that explains it; --help, the environment variables, the file and
 * docs/configuration.md all come from this table.
 * Promises: keys are dotted paths of the YAML file; the flag is the key with dashes, the variable the key in capitals after `HOTORI_`.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { tracerouteSchema } from '../../flows/model/entities/routing.js';
import { RedisError } from '../redis/errors.js';
import { parseRedisUrl, redactRedisUrl } from '../redis/url.js';

export interface HostPort {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

const BRIDGE_NAME = /^[A-Za-z0-9._][A-Za-z0-9._-]{0,14}$/;
const HOST_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

const hostPort = z.string().transform((text, context): HostPort => {
  const found = HOST_PORT.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65535) {
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT, an IPv6 address in brackets, such as 127.0.0.1:9090 or [::1]:9090' });
    return z.NEVER;
  }
  return { host: found[1] ?? found[2]!, port };
});

const endpoint = z.string().refine((text) => {
  if (text.startsWith('unix:')) return text.length > 'unix:'.length;
  const port = Number(text.startsWith('tcp:') ? HOST_PORT.exec(text.slice('tcp:'.length))?.[3] : NaN);
  return port >= 1 && port <= 65535;
}, 'must be unix:PATH or tcp:HOST:PORT');

const redisUrl = z.string().superRefine((text, context) => {
  try {
    parseRedisUrl(text);
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const path = z.string().min(1);

/** A text of names between commas, or a list; each of them once. */
const listOf = <T extends z.ZodType<string, string>>(name: T) =>
  z.union([z.string().transform((text) => text.split(',').map((part) => part.trim())), z.array(z.string())]).pipe(
    z
      .array(name)
      .min(1)
      .refine((names) => new Set(names).size === names.length, 'must not name anything twice'),
  );

const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'must be IPv4 or IPv6 addresses');

/** `NAME=BRIDGE,NAME=BRIDGE`, or a map. */
const mappings = z
  .union([
    z
      .string()
      .transform((text) => Object.fromEntries(text.split(',').map((pair) => pair.split('=').map((part) => part.trim()))) as unknown),
    z.record(z.string(), z.unknown()),
  ])
  .pipe(z.record(z.string().min(1), z.string().regex(BRIDGE_NAME, 'must be NAME=BRIDGE, such as underlay=br-ex')));

const seconds = (min: number, max: number) => z.number().min(min).max(max);

/** What a process can be. */
export type RoleName = 'all' | 'webapi' | 'vnmgr' | 'vna';

export interface Setting {
  readonly value: z.ZodType;
  /** As it would stand in the file. undefined: the host name. */
  readonly default: string | number | boolean | null | undefined;
  /** What the text of a flag or a variable is. */
  readonly text: 'string' | 'number' | 'boolean';
  /** Stands for the value in --help. */
  readonly placeholder: string;
  readonly help: string;
  /** Roles that have it; all of them when absent. */
  readonly roles?: readonly RoleName[];
  /** Takes secrets out of a value that is to be shown. */
  readonly redact?: (value: string) => string;
}

/** What one local bridge needs. Each is also a key of the entries of `vna:`, where the top-level value is the default. */
export const VNA_SETTINGS = {
  ovsdb: {
    value: endpoint,
    default: 'unix:/var/run/openvswitch/db.sock',
    text: 'string',
    placeholder: 'unix:PATH|tcp:HOST:PORT',
    help: 'the OVSDB server of the local Open vSwitch',
  },
  bridge: {
    value: z.string().regex(BRIDGE_NAME, 'must be 1 to 15 of A-Z a-z 0-9 . _ - and not start with a dash'),
    default: 'br-int',
    text: 'string',
    placeholder: 'NAME',
    help: 'the integration bridge; created, and its settings repaired, when needed',
  },
  datapath_type: {
    value: z.enum(['system', 'netdev']),
    default: 'system',
    text: 'string',
    placeholder: 'system|netdev',
    help: 'the datapath of the bridge: the kernel module, or userspace',
  },
  node_id: {
    value: z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without spaces'),
    default: undefined,
    text: 'string',
    placeholder: 'ID',
    help: 'what this hypervisor is called in the datapath it registers (default: the host name)',
  },
  datapath_id: {
    value: z
      .string()
      .regex(/^(0x)?[0-9A-Fa-f]{1,16}$/, 'must be 1 to 16 hex digits, with or without 0x')
      .transform((text) => text.replace(/^0x/, '').toLowerCase().padStart(16, '0'))
      .refine((digits) => !/^0+$/.test(digits), 'must not be zero')
      .nullable(),
    default: null,
    text: 'string',
    placeholder: 'HEX',
    help: 'the datapath id the bridge gets (default: one made from node_id and bridge)',
  },
  openflow: {
    value: endpoint.nullable(),
    default: null,
    text: 'string',
    placeholder: 'unix:PATH|tcp:HOST:PORT',
    help: "the bridge's OpenFlow socket (default: BRIDGE.mgmt in the directory of the OVSDB socket)",
  },
  bridge_mappings: {
    value: mappings.nullable(),
    default: null,
    text: 'string',
    placeholder: 'NAME=BRIDGE,…',
    help: 'bridges with a NIC of the host, by the name of the physical network; that of overlay.underlay has the tunnel address on itself',
  },
  'overlay.address': {
    value: listOf(ipAddress).nullable(),
    default: null,
    text: 'string',
    placeholder: 'IP,…',
    help: 'where tunnels to this hypervisor end, the preferred first (default: the addresses of the bridge of overlay.underlay)',
  },
  'overlay.encap': {
    value: listOf(z.enum(['geneve', 'vxlan', 'gre'])),
    default: 'geneve',
    text: 'string',
    placeholder: 'geneve,vxlan,gre',
    help: 'encapsulations offered to other hypervisors, the preferred first; two hypervisors use what both offer and prefer most',
  },
  'overlay.mac2mac': {
    value: z.boolean(),
    default: false,
    text: 'boolean',
    placeholder: 'true|false',
    help: 'whether frames go without a tunnel to hypervisors of the same overlay.underlay that say so too; needs its bridge in bridge_mappings',
  },
  'overlay.underlay': {
    value: z.string().min(1).max(255),
    default: 'underlay',
    text: 'string',
    placeholder: 'NAME',
    help: 'name of the physical network the tunnel address is on; hypervisors that say the same are on one L2',
  },
  'overlay.underlay_mtu': {
    value: z.int().min(576).max(65535).nullable(),
    default: null,
    text: 'number',
    placeholder: 'BYTES',
    help: 'longest IP packet the underlay carries (default: the MTU of the bridge of overlay.underlay, else 1500)',
  },
  'overlay.probe_period': {
    value: seconds(0, 3600),
    default: 5,
    text: 'number',
    placeholder: 'SECONDS',
    help: 'how often each way to another hypervisor is tried; 0 is never, and then nobody says that one does not answer',
  },
} as const satisfies Record<string, Setting>;

export const SETTINGS = {
  api: {
    value: hostPort,
    default: '127.0.0.1:9090',
    text: 'string',
    placeholder: 'HOST:PORT',
    help: 'where the REST API listens; there is no authentication yet, so keep it on an address you trust',
    roles: ['all', 'webapi'],
  },
  vnmgr_listen: {
    value: hostPort.nullable(),
    default: '127.0.0.1:9091',
    text: 'string',
    placeholder: 'HOST:PORT',
    help: 'where vnmgr answers /livez, /readyz and /metrics; empty: nowhere',
    roles: ['vnmgr'],
  },
  vna_listen: {
    value: hostPort.nullable(),
    default: '127.0.0.1:9092',
    text: 'string',
    placeholder: 'HOST:PORT',
    help: 'where vna answers /livez, /readyz and /metrics; empty: nowhere',
    roles: ['vna'],
  },
  state_dir: {
    value: z.string().min(1),
    default: '/var/lib/hotori',
    text: 'string',
    placeholder: 'DIR',
    help: 'where the network model is kept, or by vna the last slice of each bridge; must be on a local file system',
    roles: ['all', 'vna'],
  },
  redis: {
    value: redisUrl.nullable(),
    default: null,
    text: 'string',
    placeholder: 'URL',
    help: 'the Redis that keeps the model and joins the processes (default: none, the model is kept in state_dir): redis://, redis+sentinel:// or redis+cluster://, rediss for TLS',
    redact: redactRedisUrl,
  },
  redis_tls_ca: {
    value: path.nullable(),
    default: null,
    text: 'string',
    placeholder: 'FILE',
    help: 'PEM file of the authority that signed the certificate of Redis (default: those the system trusts)',
  },
  redis_tls_cert: {
    value: path.nullable(),
    default: null,
    text: 'string',
    placeholder: 'FILE',
    help: 'PEM file of the certificate shown to Redis',
  },
  redis_tls_key: {
    value: path.nullable(),
    default: null,
    text: 'string',
    placeholder: 'FILE',
    help: 'PEM file of the key of that certificate',
  },
  redis_prefix: {
    value: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'),
    default: 'hotori',
    text: 'string',
    placeholder: 'NAME',
    help: 'what the keys in Redis start with, in braces; keeps installations on one Redis apart',
  },
  durability: {
    value: z.enum(['local', 'replicated']),
    default: 'local',
    text: 'string',
    placeholder: 'local|replicated',
    help: 'when a change is acknowledged: once the master of Redis has it, or once a replica has it too',
  },
  ...VNA_SETTINGS,
  auto_register: {
    value: z.boolean(),
    default: true,
    text: 'boolean',
    placeholder: 'true|false',
    help: 'whether a bridge that no datapath describes gets one by itself',
  },
  'overlay.mode': {
    value: z.enum(['auto', 'explicit']),
    default: 'auto',
    text: 'string',
    placeholder: 'auto|explicit',
    help: 'whether networks reach every hypervisor that needs them, or only those named for them; of no effect within one hypervisor',
  },
  audit_period: {
    value: seconds(0.1, 86400),
    default: 10,
    text: 'number',
    placeholder: 'SECONDS',
    help: 'how often the flows on a bridge are compared in full with what they should be; more rarely where that would take more than a twentieth of the time',
  },
  trace_audit_rate: {
    value: z.int().min(0).max(600),
    default: 10,
    text: 'number',
    placeholder: 'PACKETS',
    help: "packets a minute that are held against the switch's own trace, to find out where it does not do what its flows say; 0 is none",
  },
  compile_check_period: {
    value: seconds(0, 604800),
    default: 3600,
    text: 'number',
    placeholder: 'SECONDS',
    help: 'how often a vna compiles all flows of a bridge at once, in a thread of its own, to find out whether changes have led to the same; 0 is never',
  },
  vnmgr_timeout: {
    value: seconds(2, 600),
    default: 8,
    text: 'number',
    placeholder: 'SECONDS',
    help: 'how long a vnmgr may give no answer before a vna goes to another',
    roles: ['vna'],
  },
  default_mtu: {
    value: z.int().min(1280).max(65535),
    default: 1442,
    text: 'number',
    placeholder: 'BYTES',
    help: 'the MTU told to VMs of networks without one; 1442 leaves room for Geneve over an MTU of 1500',
  },
  traceroute: {
    value: tracerouteSchema,
    default: 'virtual-hops',
    text: 'string',
    placeholder: 'virtual-hops|collapsed|off',
    help: 'what traceroute sees of virtual routers that do not say themselves; the same on every hypervisor, or paths look different from each',
  },
  dhcp_lease_time: {
    value: z.int().min(60).max(4294967295),
    default: 86400,
    text: 'number',
    placeholder: 'SECONDS',
    help: 'how long a DHCP lease is good for; 4294967295 is for ever',
  },
  log_level: {
    value: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    text: 'string',
    placeholder: 'LEVEL',
    help: 'trace, debug, info, warn, error, fatal or silent',
  },
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS;
export type VnaKey = keyof typeof VNA_SETTINGS;
export type SettingValues = { readonly [K in SettingKey]: z.output<(typeof SETTINGS)[K]['value']> };
export type VnaConfig = { readonly [K in VnaKey]: z.output<(typeof VNA_SETTINGS)[K]['value']> };

/** `overlay.mode` → `--overlay-mode`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[._]/g, '-')}`;
}

/** `overlay.mode` → `HOTORI_OVERLAY_MODE`. */
export function variableOf(key: string): string {
  return `HOTORI_${key.replaceAll('.', '_').toUpperCase()}`;
}
