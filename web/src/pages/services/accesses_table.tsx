// Who read what of me, and why: one line a read, in words.
import type { AccessView } from '../../api/types';
import { labelOf } from '../../forms/schema_form';
import { partAt, type Schema } from '../../forms/schema';
import { named } from '../../i18n';
import { moment, t } from '../../i18n/services';

/** What was read: elements by their names, fields of a form by their labels. */
function read(one: AccessView, schema?: Schema): string {
  const names = one.fields.map((code) => {
    const element = one.names.find((name) => name.code === code);
    if (element) return named(element.name);
    const part = schema && code.startsWith('/') ? partAt(schema, code) : undefined;
    return part ? labelOf(part, code) : null;
  });
  const known = [...new Set(names.filter((name): name is string => name !== null))], rest = names.filter((name) => name === null).length;
  return [...known, ...(rest ? [t('looks.others', { n: rest })] : [])].join(t('and'));
}

export function Accesses({ items, schema, purpose }: { items: AccessView[]; schema?: Schema; purpose?: (code: string) => string }) {
  return (
    <div class="scroll">
      <table class="table looks">
        <caption class="sr">{t('looks.title')}</caption>
        <thead><tr><th scope="col">{t('looks.when')}</th><th scope="col">{t('looks.who')}</th><th scope="col">{t('looks.what')}</th></tr></thead>
        <tbody>{items.map((one) => (
          <tr key={one.id}><td class="wraps">{moment(one.at)}</td><td class="wraps">{named(one.who)}</td>
            <td class="wraps">{read(one, schema)}{purpose && <><br /><span class="c-2">{one.case ? <a href={`/services/cases/${one.case}`}>{t('looks.for', { what: purpose(one.purpose) })}</a> : t('looks.for', { what: purpose(one.purpose) })}</span></>}</td></tr>
        ))}</tbody>
      </table>
    </div>
  );
}
