// The floors of docs/architecture.md: imports only point down.
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
module.exports = {
  forbidden: [
    forbid('no-cycles', 'a cycle has no order to read it in', {}, { circular: true }),
    forbid(
      'flows-is-the-ground-floor',
      'the pure core imports nothing above it',
      { path: '^flows/' },
      { path: '^(controller|datapath|webapi|test|main|roles)' },
    ),
    forbid(
      'flows-is-pure',
      'no I/O, no clock, no randomness: no Node core module and no package but zod',
      { path: '^flows/' },
      { dependencyTypes: ['core', 'npm', 'npm-dev'], pathNot: '(^|/)node_modules/zod/' },
    ),
    forbid(
      'controller-below-the-doors',
      'vnmgr knows neither of its callers',
      { path: '^controller/' },
      { path: '^(datapath|webapi|test|main|roles)' },
    ),
    forbid(
      'datapath-and-webapi-do-not-meet',
      'they meet in controller/messages',
      { path: '^datapath/' },
      { path: '^(webapi|test|main|roles)' },
    ),
    forbid(
      'webapi-and-datapath-do-not-meet',
      'they meet in controller/messages',
      { path: '^webapi/' },
      { path: '^(datapath|test|main|roles)' },
    ),
    forbid('nobody-imports-tests', '', { pathNot: '^test/' }, { path: '^test/' }),
    forbid('net-is-lowest', '', { path: '^flows/net/' }, { path: '^flows/(?!net/)' }),
    forbid('openflow-knows-nothing-of-networks', '', { path: '^flows/openflow/' }, { path: '^flows/(?!net/|openflow/)' }),
    forbid('packet-knows-only-net', '', { path: '^flows/packet/' }, { path: '^flows/(?!net/|packet/)' }),
    forbid('model-knows-nothing-of-flows', '', { path: '^flows/model/' }, { path: '^flows/(?!net/|model/)' }),
    forbid('pipeline-below-compile', '', { path: '^flows/pipeline/' }, { path: '^flows/(compile|trace)/' }),
    forbid('compile-below-trace', '', { path: '^flows/compile/' }, { path: '^flows/trace/' }),
    forbid('express-has-one-home', '', { pathNot: '^(webapi|test)/' }, { path: 'node_modules/express/' }),
    forbid('ioredis-has-one-home', '', { pathNot: '^(controller/redis|test)/' }, { path: 'node_modules/ioredis/' }),
    forbid(
      'children-have-one-home',
      'only OVS plumbing and tests start processes',
      { pathNot: '^(test|main|roles)' },
      { path: '^(node:)?child_process$' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
