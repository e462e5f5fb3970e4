#!/usr/bin/env node
/**
 * The `vnctl` executable.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { readVersion } from '../../controller/kernel/version.js';
import { runVnctl } from './cli.js';
import { CliError, EXIT, type Io } from './io.js';

const io: Io = {
  out: (line) => void process.stdout.write(line),
  err: (line) => void process.stderr.write(line),
  stdin: () => text(process.stdin),
  readFile: async (path) => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new CliError(EXIT.error, [`${path}: ${code === 'ENOENT' ? 'there is no such file' : message}`]);
    }
  },
  colours: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  env: process.env,
};

// A reader that has seen enough (`vnctl … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.error));
process.exitCode = await runVnctl(process.argv.slice(2), io, readVersion(import.meta.url));
