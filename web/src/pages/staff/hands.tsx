// Who has a case in hand among the staff of its agency: take it, put it back, hand it to a colleague.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import type { CaseView, PageColleagueView } from '../../api/types';
import { useGet } from '../../api/use';
import { t } from '../../i18n/staff';
import { ActButton } from '../../kit/controls';
import { say, Trouble } from '../../kit/say';

export function Hands({ view, set }: { view: CaseView; set: (view: CaseView) => void }) {
  const [to, setTo] = useState(''), [error, setError] = useState<unknown>(null);
  const there = useGet<PageColleagueView>('/api/v1/services/colleagues').data?.items.filter((one) => !one.me && one.agency === view.agency) ?? [];
  const act = async (word: 'claim' | 'release' | 'assign', done: string, body?: object) => {
    try {
      set(await ask<CaseView>('POST', `/api/v1/services/cases/${view.id}/${word}`, body ? { body } : {}));
      setError(null);
      setTo('');
      say(done);
    } catch (problem) {
      setError(problem);
    }
  };
  const clerk = view.clerk, mine = clerk?.mine ?? false, others = clerk !== null && !clerk.mine && !clerk.left;
  const give = () => act('assign', t('hands.given', { name: there.find((one) => one.id === to)?.name ?? '' }), { to });
  return (
    <section class="hands">
      <h3>{t('hands')}</h3>
      <p>{clerk === null ? t('hands.none') : mine ? t('hands.me') : clerk.left ? t('hands.left') : t('hands.other', { name: clerk.name })}</p>
      {error ? <Trouble error={error} /> : null}
      <div class="line flow">
        {!mine && <ActButton act={() => act('claim', t('hands.claimed'))} kind="" class="s">{t(others ? 'hands.over' : 'hands.claim')}</ActButton>}
        {mine && <ActButton act={() => act('release', t('hands.released'))} kind="" class="s">{t('hands.release')}</ActButton>}
        {!others && there.length > 0 && (
          <span class="line">
            <label class="sr" for="give">{t('hands.give')}</label>
            <select id="give" class="input s" value={to} onChange={(event) => setTo(event.currentTarget.value)}>
              <option value="">{t('hands.choose')}</option>
              {there.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </select>
            <ActButton act={give} kind="" class="s" disabled={!to}>{t('hands.give.go')}</ActButton>
          </span>
        )}
      </div>
    </section>
  );
}
