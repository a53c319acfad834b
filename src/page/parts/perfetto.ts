import { api } from '../data/api.ts';

const origin = 'https://ui.perfetto.dev';
const pingMs = 50;
const longestMs = 15_000;

/**
 * Opens a recording in the Perfetto UI, as Perfetto documents it: ping until it answers, then post the file. The
 * file goes from this browser tab to that one; no server gets it. Rejects with a hint if the UI does not answer.
 */
export async function openInPerfetto(id: string, title: string): Promise<void> {
  // at once, or the browser blocks it as a popup
  const ui = window.open(origin);
  if (ui === null) throw new Error('the browser blocked the new tab; allow pop-ups for this page');
  const buffer = await api.perfetto(id);
  await answered(ui);
  ui.postMessage({ perfetto: { buffer, title } }, origin, [buffer]);
}

function answered(ui: Window): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearInterval(pings);
      clearTimeout(limit);
      removeEventListener('message', take);
    };
    const take = ({ source, origin: from, data }: MessageEvent<unknown>): void => {
      if (source !== ui || from !== origin || data !== 'PONG') return;
      end();
      resolve();
    };
    const pings = setInterval(() => ui.postMessage('PING', origin), pingMs);
    const limit = setTimeout(() => {
      end();
      reject(
        new Error(
          'the Perfetto UI does not answer: is there no internet? Download the Perfetto file, and open it elsewhere',
        ),
      );
    }, longestMs);
    addEventListener('message', take);
  });
}
