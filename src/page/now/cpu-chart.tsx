import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { percent } from '../parts/text.ts';
import type { Theme } from '../parts/theme.ts';
import type { CpuHistory } from './history.ts';

const height = 56;

const strokes: Readonly<Record<Theme, Readonly<Record<'busy' | 'irq' | 'steal' | 'grid', string>>>> = {
  light: { busy: '#0072b2', irq: '#9a6b00', steal: '#b34700', grid: '#d8dde3' },
  dark: { busy: '#56b4e9', irq: '#f0e442', steal: '#ff8b4d', grid: '#2e3640' },
};

interface CpuChartProps {
  readonly cpu: number;
  readonly times: readonly number[];
  readonly history: CpuHistory;
  readonly theme: Theme;
}

/** How busy a CPU was in the last two minutes. */
export function CpuChart({ cpu, times, history, theme }: CpuChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const { busy, irq, steal } = history;
  const last = busy.at(-1) ?? null;
  const stolen = steal.at(-1) ?? null;
  useEffect(() => {
    const colors = strokes[theme];
    const element = box.current!;
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { show: false },
        legend: { show: false },
        padding: [2, 0, 2, 0],
        scales: { x: { time: false, range: (_, __, max) => [max - 120, max] }, y: { range: [0, 1] } },
        axes: [
          { show: false },
          {
            size: 0,
            splits: () => [0, 0.5, 1],
            grid: { stroke: colors.grid, width: 1 },
            values: () => ['', '', ''],
          },
        ],
        series: [
          {},
          { stroke: colors.busy, fill: `${colors.busy}33`, width: 1.5, points: { show: false } },
          { stroke: colors.irq, width: 1.5, dash: [2, 3], points: { show: false } },
          { stroke: colors.steal, width: 1.5, dash: [6, 3], points: { show: false } },
        ],
      },
      [[], [], [], []],
      element,
    );
    plot.current = made;
    const fit = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    fit.observe(element);
    return () => {
      fit.disconnect();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => {
    plot.current?.setData([[...times], busy, irq, steal]);
  }, [times, history, theme]);
  const says = `CPU ${cpu}: ${percent(last)} busy${stolen === null ? '' : `, ${percent(stolen)} stolen`}`;
  return (
    <figure class="cpu-chart">
      <figcaption>
        CPU {cpu} <span class="number">{percent(last)}</span>
        {stolen !== null && stolen > 0.005 && <span class="number steal"> steal {percent(stolen)}</span>}
      </figcaption>
      <div ref={box} role="img" aria-label={says} />
    </figure>
  );
}
