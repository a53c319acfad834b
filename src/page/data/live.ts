import type { Frame } from './types.ts';

export type LiveState = 'connecting' | 'live' | 'lost';

interface LiveTakers {
  readonly onState: (state: LiveState) => void;
  readonly onFrame: (frame: Frame) => void;
  /** Something changed: `guests`, `jobs` or `recordings`. */
  readonly onChange: (what: string) => void;
}

const firstDelayMs = 500;
const longestDelayMs = 15_000;

/**
 * Follows the daemon's events, and connects again when the connection is lost.
 * @param now machines whose frames are wanted
 * @returns ends it
 */
export function followEvents(now: readonly string[], { onState, onFrame, onChange }: LiveTakers): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delay = firstDelayMs;
  const query = now.map((name) => `now=${encodeURIComponent(name)}`).join('&');

  function connect(): void {
    onState('connecting');
    source = new EventSource(query === '' ? '/api/events' : `/api/events?${query}`);
    source.addEventListener('open', () => {
      delay = firstDelayMs;
      onState('live');
      for (const what of ['guests', 'jobs', 'recordings']) onChange(what);
    });
    source.addEventListener('error', () => {
      // the browser gives up for good after some errors
      source?.close();
      onState('lost');
      clearTimeout(timer);
      timer = setTimeout(connect, delay);
      delay = Math.min(delay * 2, longestDelayMs);
    });
    source.addEventListener('frame', ({ data }: MessageEvent<string>) => {
      const frame: Frame = JSON.parse(data);
      onFrame(frame);
    });
    for (const what of ['guests', 'jobs', 'recordings']) source.addEventListener(what, () => onChange(what));
  }

  connect();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
