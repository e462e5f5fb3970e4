import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '../../flows/model/errors.js';

describe('docs/errors.md', () => {
  it('lists the codes there are, with their status and what OpenVNet calls them', () => {
    const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const listed = [...text.matchAll(/^\| ([a-z_]+) \| (\d{3}) \| (\w+) (\d{3}) \| .+ \| .+ \|$/gm)].map(
      ([, code, status, legacy, legacyCode]) => [code, { status: Number(status), legacy, legacyCode }],
    );
    expect(listed).toEqual(Object.entries(ERROR_CODES));
  });
});
