import { answerSignal } from './answer-time.ts';
import type { CheckRun } from './check-run.ts';
import { fetchFailure } from './fetch-failure.ts';

/** AWS refuses signatures 15 minutes off; a link of a few minutes suffers much earlier. */
const MAX_SKEW_SECONDS = 60;

/**
 * Two steps: `endpoint` (a server answers there, whatever it answers) and `clock` (this machine's agrees with the server's).
 *
 * @param option of the plugin that names the endpoint, for the advice
 * @returns whether there is any use in asking further
 */
export async function checkEndpoint(run: CheckRun, url: string, option: string): Promise<boolean> {
  let date: string | null = null;
  const answers = await run.step('endpoint', async () => {
    const { origin } = new URL(url);
    try {
      const response = await fetch(url, { method: 'HEAD', redirect: 'manual', signal: answerSignal(run.signal) });
      date = response.headers.get('date');
      return `${origin} answers.`;
    } catch (error) {
      throw new Error(
        `Nothing answers at ${origin} (${fetchFailure(error)}). Look at ${option}, name servers, proxy and firewall.`,
        {
          cause: error,
        },
      );
    }
  });
  if (!answers) return false;
  await run.step('clock', () => clock(date));
  return true;
}

/** @param date of the server's answer, as in its header */
function clock(date: string | null): string {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return 'The server does not tell its time: not compared.';
  const skew = Math.round((Date.now() - theirs) / 1000);
  const text = `${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the server's`;
  if (Math.abs(skew) <= MAX_SKEW_SECONDS)
    return `This machine's clock agrees with the server's to ${Math.abs(skew)} s.`;
  throw new Error(`This machine's clock is ${text}: signatures and links will be refused. Set it (NTP).`);
}
