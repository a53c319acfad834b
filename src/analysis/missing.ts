import type { BufferCounter } from './buffer-counter.ts';
import type { MissingFigure } from './result.ts';

/** What the trace's events do not tell, and which events would. */
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
