/** Slices of one row and level, in the order of time; they do not overlap. */
export interface Slices {
  readonly count: number;
  readonly start: Float64Array;
  readonly dur: Float64Array;
  readonly name: Uint32Array;
  readonly kind: Uint8Array;
  readonly busy: Uint8Array;
}

export const noSlices: Slices = {
  count: 0,
  start: new Float64Array(0),
  dur: new Float64Array(0),
  name: new Uint32Array(0),
  kind: new Uint8Array(0),
  busy: new Uint8Array(0),
};

const headerBytes = 8;
const sliceBytes = 22;

/** Reads chunks as `Columns` writes them. Throws Error if they are damaged. */
export function slicesOf(chunks: ArrayBuffer): Slices {
  const view = new DataView(chunks);
  const counts: { readonly at: number; readonly count: number }[] = [];
  let count = 0;
  for (let at = 0; at + headerBytes <= chunks.byteLength; ) {
    const here = view.getUint32(at, true);
    const bytes = Math.ceil((headerBytes + here * sliceBytes) / 8) * 8;
    if (at + bytes > chunks.byteLength) throw new Error('the data of the timeline is cut off');
    counts.push({ at: at + headerBytes, count: here });
    count += here;
    at += bytes;
  }
  const all: Slices = {
    count,
    start: new Float64Array(count),
    dur: new Float64Array(count),
    name: new Uint32Array(count),
    kind: new Uint8Array(count),
    busy: new Uint8Array(count),
  };
  let done = 0;
  for (const { at, count: here } of counts) {
    all.start.set(new Float64Array(chunks, at, here), done);
    all.dur.set(new Float64Array(chunks, at + here * 8, here), done);
    all.name.set(new Uint32Array(chunks, at + here * 16, here), done);
    all.kind.set(new Uint8Array(chunks, at + here * 20, here), done);
    all.busy.set(new Uint8Array(chunks, at + here * 21, here), done);
    done += here;
  }
  return all;
}

/** Index of the first slice that ends after `time`. */
export function firstEndingAfter({ count, start, dur }: Slices, time: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start[middle]! + dur[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
