import type { BufferCounter } from './buffer-counter.ts';
import type { MissingFigure } from './result.ts';

/** The figures that the trace's events cannot provide, and the events that would provide them. */
export function missingOf({ switches, wakings, wakeups, irqs, softirqs }: BufferCounter): MissingFigure[] {
  const missing: MissingFigure[] = [];
  if (switches === 0)
    missing.push({
      figures: 'run times, switches and wakeup latencies',
      events: ['sched:sched_switch', 'sched:sched_waking'],
    });
  else if (wakings + wakeups === 0)
    missing.push({ figures: 'wakeup latencies', events: ['sched:sched_waking'] });
  if (irqs.all().next().done === true)
    missing.push({ figures: 'irq times', events: ['irq:irq_handler_entry', 'irq:irq_handler_exit'] });
  if (softirqs.all().next().done === true)
    missing.push({ figures: 'softirq times', events: ['irq:softirq_entry', 'irq:softirq_exit'] });
  return missing;
}
