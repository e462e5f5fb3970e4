import { flagOf, SETTINGS, variableOf, VNA_SETTINGS, type Setting } from '../../controller/kernel/settings.js';
import { expectGenerated, markdownTable } from './generated.js';

describe('docs/configuration.md', () => {
  it('lists the settings there are', () => {
    const rows = Object.entries<Setting>(SETTINGS).map(([key, setting]) => [
      `\`${key}\``,
      `\`${flagOf(key)}\``,
      `\`${variableOf(key)}\``,
      setting.default === undefined || setting.default === null ? '' : `\`${String(setting.default)}\``,
      setting.help,
    ]);
    expectGenerated('docs/configuration.md', 'settings', markdownTable(['key', 'flag', 'variable', 'default', 'is'], rows));
  });

  it('lists the settings of a bridge', () => {
    const rows = Object.entries<Setting>(VNA_SETTINGS).map(([key, { placeholder, help }]) => [
      `\`${key}\``,
      `\`${placeholder.replaceAll('|', '\\|')}\``,
      help,
    ]);
    expectGenerated('docs/configuration.md', 'vna', markdownTable(['key', 'value', 'is'], rows));
  });
});
