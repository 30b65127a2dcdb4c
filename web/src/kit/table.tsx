// A table that sorts by a tap on its head; columns say how a value is shown and by what it is ordered.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

export interface Column<Row> {
  key: string;
  head: string;
  cell: (row: Row) => ComponentChildren;
  order?: (row: Row) => number | string; // given: this column can be sorted
  number?: boolean; // set to the right
}

export function Table<Row>({ caption, columns, rows, id, selected, sorted }: {
  caption: string; columns: Column<Row>[]; rows: readonly Row[]; id: (row: Row) => string; selected?: string; sorted?: { key: string; down?: boolean };
}) {
  const [by, setBy] = useState(sorted ?? null);
  const order = columns.find((one) => one.key === by?.key)?.order;
  const shown = order ? [...rows].sort((a, b) => compare(order(a), order(b)) * (by?.down ? -1 : 1)) : rows;
  return (
    <table class="table">
      <caption class="sr">{caption}</caption>
      <thead>
        <tr>
          {columns.map((one) => (
            <th key={one.key} scope="col" class={one.number ? 'n' : ''} aria-sort={by?.key !== one.key ? undefined : by.down ? 'descending' : 'ascending'}>
              {one.order ? <button type="button" onClick={() => setBy({ key: one.key, down: by?.key === one.key && !by.down })}>{one.head}</button> : one.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map((row) => (
          <tr key={id(row)} aria-selected={selected === undefined ? undefined : id(row) === selected}>
            {columns.map((one) => <td key={one.key} class={one.number ? 'n' : ''}>{one.cell(row)}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const compare = (a: number | string, b: number | string): number => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));
