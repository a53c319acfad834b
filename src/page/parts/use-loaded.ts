import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: unknown;
  readonly reload: () => void;
}

/**
 * What an asynchronous function gives, called again when `key` changes. The old value stays while the same thing is
 * loaded again.
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, key: string): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: unknown }>({ key });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const ended = new AbortController();
    const run = async (): Promise<void> => {
      let next: { key: string; value?: T; error?: unknown };
      try {
        next = { key, value: await latest.current(ended.signal) };
      } catch (error) {
        next = { key, error };
      }
      if (!ended.signal.aborted) setState(next);
    };
    void run();
    return () => ended.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((now) => now + 1), []);
  const isCurrent = state.key === key;
  return { value: isCurrent ? state.value : undefined, error: isCurrent ? state.error : undefined, reload };
}
