import { ConfigError, loadConfig, type ConfigSources } from '../../../controller/kernel/config.js';

const load = (sources: Partial<ConfigSources> & { yaml?: string } = {}) =>
  loadConfig({
    flags: {},
    env: {},
    hostname: 'host-a',
    ...sources,
    file: sources.yaml === undefined ? undefined : { name: 'hotori.yaml', text: sources.yaml },
  });

function reasonsOf(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.reasons;
    throw error;
  }
  return [];
}

const NO_OVERLAY = {
  datapath_id: null,
  bridge_mappings: null,
  'overlay.address': null,
  'overlay.encap': ['geneve'],
  'overlay.mac2mac': false,
  'overlay.underlay': 'underlay',
  'overlay.underlay_mtu': null,
  'overlay.probe_period': 5,
};

const DEFAULT_VNA = {
  ovsdb: 'unix:/var/run/openvswitch/db.sock',
  bridge: 'br-int',
  datapath_type: 'system',
  node_id: 'host-a',
  openflow: null,
  ...NO_OVERLAY,
};

describe('configuration', () => {
  it('is the defaults when nothing is given', () => {
    expect(load()).toEqual({
      config: {
        api: { host: '127.0.0.1', port: 9090 },
        vnmgr_listen: { host: '127.0.0.1', port: 9091 },
        vna_listen: { host: '127.0.0.1', port: 9092 },
        state_dir: '/var/lib/hotori',
        redis: null,
        redis_tls_ca: null,
        redis_tls_cert: null,
        redis_tls_key: null,
        redis_prefix: 'hotori',
        durability: 'local',
        auto_register: true,
        overlay: { mode: 'auto' },
        audit_period: 10,
        default_mtu: 1442,
        trace_audit_rate: 10,
        compile_check_period: 3600,
        vnmgr_timeout: 8,
        traceroute: 'virtual-hops',
        dhcp_lease_time: 86400,
        log_level: 'info',
        vna: [DEFAULT_VNA],
      },
      warnings: [],
    });
  });

  it('prefers a flag to a variable, a variable to the file, the file to the default', () => {
    const yaml = 'state_dir: /file\nbridge: br-file\nnode_id: from-file\nlog_level: debug\n';
    const { config } = load({
      yaml,
      flags: { state_dir: '/flag' },
      env: { HOTORI_STATE_DIR: '/variable', HOTORI_BRIDGE: 'br-variable', HOTORI_OVERLAY_MODE: 'explicit', HOTORI_AUTO_REGISTER: 'false' },
    });
    expect([config.state_dir, config.vna[0]!.bridge, config.vna[0]!.node_id, config.log_level, config.audit_period]).toEqual([
      '/flag',
      'br-variable',
      'from-file',
      'debug',
      10,
    ]);
    expect([config.overlay.mode, config.auto_register]).toEqual(['explicit', false]);
  });

  it('takes several bridges, each with the top-level values as its defaults', () => {
    const yaml =
      'datapath_type: netdev\nvna:\n  - {ovsdb: "unix:/a/db.sock", node_id: a}\n  - {ovsdb: "tcp:[::1]:6640", bridge: br1, openflow: "tcp:127.0.0.1:6653"}\n';
    expect(load({ yaml }).config.vna).toEqual([
      { ovsdb: 'unix:/a/db.sock', bridge: 'br-int', datapath_type: 'netdev', node_id: 'a', openflow: null, ...NO_OVERLAY },
      { ovsdb: 'tcp:[::1]:6640', bridge: 'br1', datapath_type: 'netdev', node_id: 'host-a', openflow: 'tcp:127.0.0.1:6653', ...NO_OVERLAY },
    ]);
  });

  it('takes lists and maps of the overlay as text and as YAML', () => {
    const yaml = 'bridge_mappings: {underlay: br-phy}\noverlay:\n  address: [192.0.2.1, "2001:db8::1"]\n  encap: vxlan, gre\n';
    const flags = { bridge_mappings: 'underlay=br-phy,physnet1=br-ex', 'overlay.address': '192.0.2.1,2001:db8::1', 'overlay.encap': 'gre' };
    const of = (vna: object | undefined) => Object.fromEntries(Object.entries(vna ?? {}).filter(([key]) => key in NO_OVERLAY));
    expect([of(load({ yaml }).config.vna[0]), of(load({ flags }).config.vna[0])]).toEqual([
      {
        ...NO_OVERLAY,
        bridge_mappings: { underlay: 'br-phy' },
        'overlay.address': ['192.0.2.1', '2001:db8::1'],
        'overlay.encap': ['vxlan', 'gre'],
      },
      {
        ...NO_OVERLAY,
        bridge_mappings: { underlay: 'br-phy', physnet1: 'br-ex' },
        'overlay.address': ['192.0.2.1', '2001:db8::1'],
        'overlay.encap': ['gre'],
      },
    ]);
  });

  it('names every wrong key and value with its place', () => {
    const yaml = [
      'audit_perod: 3',
      'audit_period: soon',
      'overlay: {mode: sideways, more: 1}',
      'default_mtu: 100',
      'vna:',
      '  - bridge: "-x"',
      '  - brigde: br0',
    ].join('\n');
    expect(
      reasonsOf(() => load({ yaml, flags: { api: 'here' }, env: { HOTORI_DHCP_LEASE_TIME: '1h', HOTORI_AUTO_REGISTER: 'maybe' } })),
    ).toEqual([
      'hotori.yaml:1: audit_perod: there is no such key; did you mean audit_period?',
      'hotori.yaml:3: overlay.more: there is no such key; did you mean overlay.mode?',
      'hotori.yaml:7: brigde: there is no such key; did you mean bridge?',
      '--api: api: must be HOST:PORT, an IPv6 address in brackets, such as 127.0.0.1:9090 or [::1]:9090, not "here"',
      'HOTORI_AUTO_REGISTER: auto_register: must be true or false, not "maybe"',
      'hotori.yaml:3: overlay.mode: must be auto or explicit, not "sideways"',
      'hotori.yaml:2: audit_period: must be a number, not "soon"',
      'hotori.yaml:4: default_mtu: must be at least 1280, not 100',
      'HOTORI_DHCP_LEASE_TIME: dhcp_lease_time: must be a number, not "1h"',
      'hotori.yaml:6: vna.bridge: must be 1 to 15 of A-Z a-z 0-9 . _ - and not start with a dash, not "-x"',
    ]);
  });

  it.each([
    ['a: [1', ['hotori.yaml:1: not YAML: ']],
    ['- a\n', ['hotori.yaml:1: must be a list of keys and values']],
    ['overlay: auto', ['hotori.yaml:1: overlay: must hold keys, such as overlay.address']],
    ['vna: []', ['hotori.yaml:1: vna: must be a list with at least one entry']],
    ['\nvna:\n  - br0\n', ['hotori.yaml:3: vna: an entry must hold keys']],
    [
      'vna:\n  - {}\n  - {node_id: other}\n  - {ovsdb: "unix:/b"}\n',
      [
        'hotori.yaml:3: vna: bridge br-int of unix:/var/run/openvswitch/db.sock is listed already (hotori.yaml:2)',
        'hotori.yaml:4: vna: bridge br-int of node host-a is listed already (hotori.yaml:2)',
      ],
    ],
    ['api: {}', ['hotori.yaml:1: api: must be text, not {}']],
    ['api: 1.2.3.4:70000', ['hotori.yaml:1: api: must be HOST:PORT']],
    ['ovsdb: /var/run/db.sock', ['hotori.yaml:1: ovsdb: must be unix:PATH or tcp:HOST:PORT, not "/var/run/db.sock"']],
    ['ovsdb: tcp:1.2.3.4:70000', ['hotori.yaml:1: ovsdb: must be unix:PATH or tcp:HOST:PORT, not "tcp:1.2.3.4:70000"']],
    ['openflow: tcp:1.2.3.4:0', ['hotori.yaml:1: openflow: must be unix:PATH or tcp:HOST:PORT, not "tcp:1.2.3.4:0"']],
    [
      'vna:\n  - {bridge: a/b, node_id: a}\n  - {bridge: a/c, node_id: b}\n',
      ['hotori.yaml:2: vna.bridge: must be 1 to 15', 'hotori.yaml:3: vna.bridge: must be 1 to 15'],
    ],
    ['redis: localhost', ['hotori.yaml:1: redis: must be redis://']],
    ['redis: "redis://user:secret@h:0"', ['hotori.yaml:1: redis: has no host and port in "h:0", not "redis://user:***@h:0"']],
    ['durability: replicated', ['durability: replicated needs redis']],
    ['redis: redis://h\nredis_tls_ca: /ca.pem', ['redis_tls_ca, redis_tls_cert: need a redis URL that starts with rediss']],
    ['redis: rediss://h\nredis_tls_key: /key.pem', ['redis_tls_cert, redis_tls_key: must be given together']],
    ['log_level: 1', ['hotori.yaml:1: log_level: must be trace, debug']],
  ])('refuses %j', (yaml, expected) => {
    const reasons = reasonsOf(() => load({ yaml }));
    expect(reasons.map((reason, i) => reason.slice(0, expected[i]?.length))).toEqual(expected);
  });

  it('refuses a bridge on the command line when the file lists bridges', () => {
    expect(reasonsOf(() => load({ yaml: 'vna: [{bridge: br1}]', flags: { bridge: 'br2' }, env: { HOTORI_NODE_ID: 'n' } }))).toEqual([
      '--bridge: not possible together with vna: in the file, which says it for each bridge',
    ]);
  });

  it('warns of a HOTORI_ variable that means nothing', () => {
    expect(load({ env: { HOTORI_BRIGDE: 'br0', HOTORI_SERVER: 'x', HOME: '/' } }).warnings).toEqual([
      'environment variable HOTORI_BRIGDE means nothing; did you mean HOTORI_BRIDGE?',
    ]);
  });

  it('takes a datapath id in the ways OpenVNet writes it, and each once', () => {
    const entry = (id: string, bridge: string) => `  - {datapath_id: "${id}", bridge: ${bridge}, ovsdb: "unix:/${bridge}"}\n`;
    const two = (one: string, other: string) => load({ yaml: `vna:\n${entry(one, 'br1')}${entry(other, 'br2')}` });
    expect(two('0x0000AAAAAAAAAAAA', 'b').config.vna.map((vna) => vna.datapath_id)).toEqual(['0000aaaaaaaaaaaa', '000000000000000b']);
    expect(() => two('0xA', 'a')).toThrow(/vna: bridge with datapath_id 000000000000000a is listed already/);
    expect(() => two('0', 'xyz')).toThrow(/must not be zero[\s\S]*must be 1 to 16 hex digits/);
  });

  it('takes an empty file', () => {
    expect(load({ yaml: '# nothing\n' }).config.vna).toEqual([DEFAULT_VNA]);
  });
});
