import { allOf, type Stopping } from './entry.ts';

/** What the start of a guest consists of. */
export interface GuestStart {
  readonly start: () => Promise<void>;
  /** Compares the guest's clock with the host's, if the host is recorded too. */
  readonly readClock: () => Promise<void>;
}

/** How long the host goes on tracing while the guests stop: a guest that sends a large ring buffer no longer traces. */
const hostWaitMs = 10_000;

/**
 * Starts the host and then, together, the guests. The host's trace must begin before that of a guest: the guest's
 * events before it could be placed by readings of its clock alone.
 * @throws the first reason, when all starts have settled
 */
export async function startInOrder(
  host: (() => Promise<void>) | undefined,
  guests: readonly GuestStart[],
): Promise<void> {
  await host?.();
  await allOf(
    guests.map(async ({ start, readClock }) => {
      // an emulated guest may take a second to start, and traces from an unknown moment in it
      await readClock();
      await start();
      await readClock();
    }),
  );
}

/**
 * Waits until guests have stopped, and then stops the host, so that its trace ends after theirs.
 * @param stopHost begins the stop of the host; undefined if that is not traced
 * @param waitMs how long the host waits for guests, at most
 */
export async function stopInOrder(
  guests: readonly Stopping[],
  stopHost: (() => Stopping) | undefined,
  waitMs = hostWaitMs,
): Promise<void> {
  if (stopHost !== undefined) {
    await soon(Promise.all(guests.map(({ quiet }) => quiet)), waitMs);
    await stopHost().done;
  }
  await Promise.all(guests.map(({ done }) => done));
}

async function soon(wait: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([wait, late]);
  } finally {
    clearTimeout(timer);
  }
}
