import type { Bus } from '../state/bus.ts';
import type { Children } from '../state/child.ts';
import type { Guests } from '../state/guests.ts';
import type { Jobs } from '../state/jobs.ts';
import type { Recordings } from '../state/recordings.ts';
import type { Tops } from '../state/tops.ts';

/** What the routes answer from. */
export interface Daemon {
  readonly children: Children;
  readonly bus: Bus;
  readonly guests: Guests;
  readonly jobs: Jobs;
  readonly recordings: Recordings;
  readonly tops: Tops;
}
