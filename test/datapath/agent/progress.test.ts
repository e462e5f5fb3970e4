import { Progress } from '../../../datapath/agent/progress.js';

describe('progress', () => {
  it('is nothing before the first confirmation', () => {
    const progress = new Progress();
    progress.nextChange();
    progress.mark(1);
    expect(progress.applied).toBeNull();
  });

  it('reaches a message once every change up to it is confirmed', () => {
    const progress = new Progress();
    const seen: (number | null)[] = [];
    for (const seq of [1, 2, 3]) {
      progress.nextChange();
      progress.mark(seq);
    }
    for (const oldest of [1, 3, 3, Infinity]) {
      progress.confirm(oldest);
      seen.push(progress.applied);
    }
    expect(seen).toEqual([null, 2, 2, 3]);
  });

  it('takes a message without any change as confirmed with the one before it', () => {
    const progress = new Progress();
    progress.nextChange();
    progress.mark(1);
    progress.mark(2);
    progress.confirm(2);
    expect(progress.applied).toBe(2);
  });

  it('stays where it is while an older change is not confirmed', () => {
    const progress = new Progress();
    progress.nextChange();
    progress.mark(10);
    const broken = progress.nextChange();
    progress.mark(11);
    progress.nextChange();
    progress.mark(12);
    progress.confirm(broken);
    expect({ applied: progress.applied, latest: progress.latest }).toEqual({ applied: 10, latest: 12 });
  });

  it('starts anew with another attachment, and an old change still keeps its messages back', () => {
    const progress = new Progress();
    const broken = progress.nextChange();
    progress.mark(90);
    progress.restart();
    progress.nextChange();
    progress.mark(1);
    progress.confirm(broken);
    expect({ applied: progress.applied, latest: progress.latest }).toEqual({ applied: null, latest: 1 });
  });

  it('reaches a revision once every change up to it is confirmed, tells since when that was wanted, and keeps it over attachments', () => {
    const progress = new Progress();
    progress.nextChange();
    progress.aim(10, 100);
    progress.nextChange();
    progress.aim(11, 200);
    // Asks for nothing else than the one before.
    progress.aim(12, 300);
    progress.nextChange();
    progress.aim(13, 400);
    const seen = [1, 2, 3, Infinity].map((oldest) => [progress.confirm(oldest), progress.revision]);
    progress.restart();
    expect([seen, progress.revision]).toEqual([
      [
        [[], null],
        [[100], 10],
        [[200], 12],
        [[400], 13],
      ],
      13,
    ]);
  });
});
