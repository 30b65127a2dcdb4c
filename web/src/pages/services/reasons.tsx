// Why it came out so: each rule with its article, the value it used, and where the city has that from. The same for applicants and staff.
import type { CaseView } from '../../api/types';
import { Answer, labelOf, Source } from '../../forms/schema_form';
import { partAt, type Schema } from '../../forms/schema';
import { named } from '../../i18n';
import { t } from '../../i18n/services';
import { Light } from '../../kit/status';

const TONES = { yes: 'ok', no: 'bad', unknown: 'warn' } as const;

export function Reasons({ view }: { view: CaseView }) {
  const schema = view.schema as Schema;
  return (
    <ul class="reasons">
      {view.reasons.map((one) => (
        <li key={one.rule}>
          <div class="line apart base"><Light tone={TONES[one.verdict as keyof typeof TONES] ?? 'mute'}><span class="text">{named(one.text)}</span></Light><span class="c-2 article">{one.article}</span></div>
          {one.values.length > 0 && (
            <ul class="used">{one.values.map((used) => {
              const pointer = '/' + used.element.replaceAll('.', '/'), part = partAt(schema, pointer);
              const from = used.source && used.source !== 'applicant' ? <Source origin={{ source: used.source, as_of: used.as_of, locked: true }} /> : used.source === 'applicant' ? t('source.you') : null;
              return <li key={used.element}>{part ? <>{labelOf(part, pointer)} </> : null}<b>{used.value === null ? t(one.verdict === 'unknown' ? 'answer.unknown' : 'answer.nothing') : <Answer schema={part ?? {}} value={plain(used.value)} />}</b>{from && <span class="c-2"> {from}</span>}</li>;
            })}</ul>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Lists of texts are read in a row. */
const plain = (value: unknown) => (Array.isArray(value) ? value.map(String).join(t('and')) : value);
