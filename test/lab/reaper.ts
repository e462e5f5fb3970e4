/**
 * Cleaning up after a lab whose process died.
 *
 * Owns: a small shell that outlives us: it waits on a pipe that closes when we are gone, however that happens, and then removes
 * the lab's namespaces (killing what runs in them), their files under /etc/netns, and the lab's directory.
 */
import { spawn } from 'node:child_process';

const SCRIPT = `
read -r word
[ "$word" = done ] && exit 0
for file in /run/netns/"$1"-*; do
  [ -e "$file" ] || continue
  name=\${file##*/}
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(ip netns pids "$name")
    [ -z "$pids" ] && break
    kill -9 $pids
    sleep 0.1
  done
  ip netns delete "$name"
done
rm -rf /etc/netns/"$1"-* "$2"
`;

export class Reaper {
  readonly #dismiss: () => void;

  /** @param prefix of the names of the lab's namespaces, without the dash. */
  constructor(prefix: string, dir: string) {
    const child = spawn('sh', ['-c', SCRIPT, 'reaper', prefix, dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    child.unref();
    this.#dismiss = () => child.stdin.end('done\n');
    // The pipe must not keep this process alive: its end is what the reaper waits for.
    (child.stdin as unknown as { unref(): void }).unref();
  }

  /** The lab has cleaned up itself. */
  dismiss(): void {
    this.#dismiss();
  }
}
