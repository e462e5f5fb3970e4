/**
 * The configuration of a Hotori process, from flags, environment, file and defaults.
 *
 * Owns: the precedence (flag, then HOTORI_ variable, then file, then default), the checks, the list of local bridges.
 * Promises: everything wrong is said at once, each with the place it stands (`--api`, `HOTORI_API`, `hotori.yaml:3`) and the key.
 */
import { wordsOf } from '../../flows/model/issue-words.js';
import { hint, readConfigFile, type FileContent, type Placed } from './config-file.js';
import {
  flagOf,
  SETTINGS,
  VNA_SETTINGS,
  variableOf,
  type HostPort,
  type Setting,
  type SettingKey,
  type SettingValues,
  type VnaConfig,
  type VnaKey,
} from './settings.js';

export interface Config {
  readonly api: HostPort;
  /** null: nowhere. */
  readonly vnmgr_listen: HostPort | null;
  readonly vna_listen: HostPort | null;
  readonly state_dir: string;
  /** Holds secrets: redactRedisUrl before it is shown. */
  readonly redis: string | null;
  readonly redis_tls_ca: string | null;
  readonly redis_tls_cert: string | null;
  readonly redis_tls_key: string | null;
  readonly redis_prefix: string;
  readonly durability: 'local' | 'replicated';
  readonly auto_register: boolean;
  readonly overlay: { readonly mode: 'auto' | 'explicit' };
  /** Seconds. */
  readonly audit_period: number;
  readonly trace_audit_rate: SettingValues['trace_audit_rate'];
  /** Seconds; 0: never. */
  readonly compile_check_period: SettingValues['compile_check_period'];
  readonly vnmgr_timeout: SettingValues['vnmgr_timeout'];
  /** Bytes. */
  readonly default_mtu: number;
  /** Of virtual routers that have no mode of their own. */
  readonly traceroute: SettingValues['traceroute'];
  /** Seconds. */
  readonly dhcp_lease_time: number;
  readonly log_level: SettingValues['log_level'];
  /** At least one; no two with the same bridge of the same OVSDB server or node. */
  readonly vna: readonly VnaConfig[];
}

/** What was wrong, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[]) {
    super(reasons.join('\n'));
    this.reasons = reasons;
  }
}

export interface ConfigSources {
  /** By key (`overlay.mode`), the text given on the command line. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file named by --config or HOTORI_CONFIG, already read. */
  readonly file: { readonly name: string; readonly text: string } | undefined;
  readonly hostname: string;
}

/** Variables with our prefix that are not settings: the file's name, and the client's server. */
const OTHER_VARIABLES = ['HOTORI_CONFIG', 'HOTORI_SERVER'];

/**
 * @returns the configuration, and what deserves a warning: HOTORI_ variables that mean nothing.
 * @throws ConfigError
 */
export function loadConfig(sources: ConfigSources): { readonly config: Config; readonly warnings: readonly string[] } {
  const reasons: string[] = [];
  const complain = (message: string) => void reasons.push(message);
  const file: FileContent =
    sources.file === undefined ? { settings: new Map(), vna: undefined } : readConfigFile(sources.file.name, sources.file.text, complain);

  const raw = new Map<string, Placed>(file.settings);
  const overridden: { key: string; where: string }[] = [];
  for (const [key, setting] of Object.entries<Setting>(SETTINGS)) {
    const flag = sources.flags[key];
    const variable = sources.env[variableOf(key)];
    const given =
      flag !== undefined
        ? { text: flag, where: flagOf(key) }
        : variable !== undefined
          ? { text: variable, where: variableOf(key) }
          : undefined;
    if (given === undefined) continue;
    raw.set(key, { value: fromText(setting, given.text), where: given.where });
    overridden.push({ key, where: given.where });
  }

  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting>(SETTINGS))
    values[key] = check(key, setting, raw.get(key), sources.hostname, complain);

  const top = values as SettingValues;
  checkRedis(top, complain);
  const vna = file.vna === undefined ? [pickVna(top)] : listVna(file.vna, top, overridden, complain);
  if (reasons.length > 0) throw new ConfigError(reasons);

  const { redis, redis_tls_ca, redis_tls_cert, redis_tls_key, redis_prefix, durability } = top;
  const {
    api,
    vnmgr_listen,
    vna_listen,
    state_dir,
    auto_register,
    audit_period,
    trace_audit_rate,
    compile_check_period,
    vnmgr_timeout,
    default_mtu,
    traceroute,
    dhcp_lease_time,
    log_level,
  } = top;
  const config = {
    api,
    vnmgr_listen,
    vna_listen,
    state_dir,
    redis,
    redis_tls_ca,
    redis_tls_cert,
    redis_tls_key,
    redis_prefix,
    durability,
    auto_register,
    overlay: { mode: top['overlay.mode'] },
    audit_period,
    trace_audit_rate,
    compile_check_period,
    vnmgr_timeout,
    default_mtu,
    traceroute,
    dhcp_lease_time,
    log_level,
    vna,
  };
  return { config, warnings: strayVariables(sources.env) };
}

/** What the settings of Redis must be together. */
function checkRedis(top: SettingValues, complain: (message: string) => void): void {
  const { redis, redis_tls_ca: ca, redis_tls_cert: cert, redis_tls_key: key, durability } = top;
  if ((cert === null) !== (key === null)) complain('redis_tls_cert, redis_tls_key: must be given together');
  if ((ca !== null || cert !== null) && !redis?.startsWith('rediss'))
    complain('redis_tls_ca, redis_tls_cert: need a redis URL that starts with rediss');
  if (durability === 'replicated' && redis === null) complain('durability: replicated needs redis');
}

function listVna(
  entries: NonNullable<FileContent['vna']>,
  top: SettingValues,
  overridden: readonly { key: string; where: string }[],
  complain: (message: string) => void,
): VnaConfig[] {
  for (const { key, where } of overridden)
    if (key in VNA_SETTINGS && key !== 'node_id')
      complain(`${where}: not possible together with vna: in the file, which says it for each bridge`);
  const seen = new Map<string, string>();
  return entries.map((entry) => {
    const values: Record<string, unknown> = { ...pickVna(top), openflow: null };
    for (const [key, setting] of Object.entries<Setting>(VNA_SETTINGS)) {
      const placed = entry.settings.get(key);
      if (placed !== undefined) values[key] = check(`vna.${key}`, setting, placed, '', complain);
    }
    const one = values as VnaConfig;
    // What did not parse is no bridge's name.
    if (Object.values(values).includes(undefined)) return one;
    // The datapath id is made from node id and bridge.
    const dpid = one.datapath_id === null ? [] : [`with datapath_id ${one.datapath_id}`];
    for (const identity of [`${one.bridge} of ${one.ovsdb}`, `${one.bridge} of node ${one.node_id}`, ...dpid]) {
      const other = seen.get(identity);
      if (other !== undefined && other !== entry.where) complain(`${entry.where}: vna: bridge ${identity} is listed already (${other})`);
      else seen.set(identity, entry.where);
    }
    return one;
  });
}

function pickVna(values: SettingValues): VnaConfig {
  return Object.fromEntries((Object.keys(VNA_SETTINGS) as VnaKey[]).map((key) => [key, values[key]])) as VnaConfig;
}

function check(key: string, setting: Setting, placed: Placed | undefined, hostname: string, complain: (message: string) => void): unknown {
  const result = setting.value.safeParse(
    placed === undefined ? (setting.default === undefined ? hostname : setting.default) : placed.value,
  );
  if (result.success) return result.data;
  const given = typeof placed?.value === 'string' && setting.redact ? setting.redact(placed.value) : placed?.value;
  for (const issue of result.error.issues)
    complain(`${placed?.where ?? 'default'}: ${key}: ${wordsOf(issue)}, not ${placed === undefined ? 'nothing' : JSON.stringify(given)}`);
  return undefined;
}

function fromText(setting: Setting, text: string): unknown {
  if (setting.text === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (setting.text === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text === '' && setting.value.safeParse(null).success ? null : text;
}

function strayVariables(env: ConfigSources['env']): string[] {
  const known = [...(Object.keys(SETTINGS) as SettingKey[]).map(variableOf), ...OTHER_VARIABLES];
  return Object.keys(env)
    .filter((name) => name.startsWith('HOTORI_') && !known.includes(name))
    .map((name) => `environment variable ${name} means nothing${hint(name, known)}`);
}
