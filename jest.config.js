// Projects: `unit` runs in parallel and starts nothing; `e2e` needs root, Open vSwitch and namespaces, and runs two files at a time at the most.
const base = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } }],
  },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

/** These take minutes: `make soak` runs them. */
const SOAK_ONLY = ['/test/e2e/(outages|upgrade)\\.test\\.ts$'];

export default {
  // What hangs is found all the same; what a busy machine delays is no failure.
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/test/tally-reporter.js'],
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/{flows,controller,datapath,webapi,compliance,fuzz,docs}/**/*.test.ts'] },
    { ...base, displayName: 'codec', testMatch: ['<rootDir>/test/codec/**/*.test.ts'] },
    {
      ...base,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
      testPathIgnorePatterns: process.env.SOAK ? [] : SOAK_ONLY,
    },
  ],
};
