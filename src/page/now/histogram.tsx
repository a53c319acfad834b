import type { JSX } from 'preact';
import type { FrameMachine } from '../data/types.ts';
import { duration } from '../parts/text.ts';

const width = 264;
const height = 64;

/** How long tasks waited for a CPU after they were woken. */
export function Histogram({ wakeups }: { wakeups: NonNullable<FrameMachine['wakeups']> }): JSX.Element {
  const { histogram, count, p50Ns, p99Ns, maxNs } = wakeups;
  const most = histogram.reduce((max, [, each]) => Math.max(max, each), 1);
  const bar = width / Math.max(1, histogram.length);
  const [first] = histogram;
  const last = histogram.at(-1);
  return (
    <figure class="histogram">
      <figcaption>
        Wakeup latency <span class="weak">p50</span> <span class="number">{duration(p50Ns)}</span>{' '}
        <span class="weak">p99</span> <span class="number">{duration(p99Ns)}</span>{' '}
        <span class="weak">max</span> <span class="number">{duration(maxNs)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${count} wakeups: half within ${duration(p50Ns)}, 99 % within ${duration(p99Ns)}, the longest ${duration(maxNs)}`}
      >
        {histogram.map(([upperNs, each], index) => {
          // few late ones are what one looks for: by the logarithm
          const tall = each === 0 ? 0 : 4 + (Math.log(each) / Math.log(most + 1)) * (height - 6);
          return (
            <rect key={upperNs} x={index * bar} y={height - tall} width={Math.max(1, bar - 1)} height={tall}>
              <title>{`up to ${duration(upperNs)}: ${each}`}</title>
            </rect>
          );
        })}
      </svg>
      <div class="histogram-ends weak">
        <span>{first === undefined ? '' : `≤ ${duration(first[0])}`}</span>
        <span>{last === undefined ? '' : `≤ ${duration(last[0])}`}</span>
      </div>
    </figure>
  );
}
