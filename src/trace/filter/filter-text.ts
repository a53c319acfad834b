import { type EventFormat, fieldOf } from '../format/event-format.ts';
import { compileFilter, isPossible } from './compile.ts';
import { eventsNamed } from './event-patterns.ts';
import { type Condition, parseCondition, type Value } from './parse.ts';

const names = { task: (): undefined => undefined };

/**
 * What a filter means for each event type that it names, highest id first, in the form of trace-cmd report `-T`:
 * comparisons that are impossible for the type are FALSE, and operands that then no longer matter are left out. Throws
 * Failure (usage), as `compileFilter` does.
 */
export function filterTexts(
  filter: string,
  formats: readonly EventFormat[],
): (readonly [format: EventFormat, text: string])[] {
  compileFilter(filter, formats, names);
  const colon = filter.indexOf(':');
  const events = eventsNamed(filter, colon < 0 ? filter.length : colon, formats);
  const condition = colon < 0 ? undefined : parseCondition(filter, colon + 1);
  return events
    .toSorted((a, b) => b.id - a.id)
    .map((format) => [format, condition === undefined ? 'TRUE' : textOf(condition, filter, format)] as const);
}

function textOf(node: Condition, filter: string, format: EventFormat): string {
  switch (node.kind) {
    case 'compare':
      return isPossible(filter, node, format, names) ? comparisonText(node, format) : 'FALSE';
    case 'nonzero':
      return isPossible(filter, node, format, names) ? valueText(node.value) : 'FALSE';
    case 'not': {
      const inner = textOf(node.operand, filter, format);
      if (inner === 'TRUE') return 'FALSE';
      return inner === 'FALSE' ? 'TRUE' : `!(${inner})`;
    }
    case 'and':
    case 'or': {
      const [left, right] = [textOf(node.left, filter, format), textOf(node.right, filter, format)];
      // this result of one side decides the whole, whatever the other side is
      const deciding = node.kind === 'and' ? 'FALSE' : 'TRUE';
      if (left === deciding || right === deciding) return deciding;
      if (left === 'TRUE' || left === 'FALSE') return right;
      if (right === 'TRUE' || right === 'FALSE') return left;
      return `(${left}) ${node.kind === 'and' ? '&&' : '||'} (${right})`;
    }
    default:
      return node satisfies never;
  }
}

function comparisonText(
  { left, op, right }: Extract<Condition, { readonly kind: 'compare' }>,
  format: EventFormat,
): string {
  const isNumber = left.kind === 'field' && fieldOf(format, left.name)?.content === 'integer';
  const isCharacter = isNumber && right.kind === 'text' && right.quote === "'" && right.text.length === 1;
  const value = isCharacter ? String(right.text.charCodeAt(0)) : valueText(right, true);
  return `${valueText(left, true)} ${op} ${value}`;
}

/** @param isOperand whether arithmetic needs parentheses */
function valueText(value: Value, isOperand = false): string {
  switch (value.kind) {
    case 'number':
      return String(BigInt.asIntN(64, value.value));
    case 'text':
      return `"${value.text}"`;
    case 'field':
      return value.name;
    case 'arithmetic': {
      const { left, op, right, at } = value;
      // the parser turns -x into 0 - x
      if (op === '-' && left.kind === 'number' && left.at === at) return `-${valueText(right, true)}`;
      const text = `${valueText(left, true)} ${op} ${valueText(right, true)}`;
      return isOperand ? `(${text})` : text;
    }
    default:
      return value satisfies never;
  }
}
