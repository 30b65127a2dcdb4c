// It arrived: the number, the day by which it is decided, and what happens now. A page, since a toast proves nothing.
import { useEffect } from 'preact/hooks';
import type { CaseView } from '../../api/types';
import { useGet } from '../../api/use';
import { named } from '../../i18n';
import { moment, t } from '../../i18n/services';
import { Icon } from '../../kit/icon';
import { Trouble, Waiting } from '../../kit/say';
import { type PageProps } from '../../router';
import { PageHead } from '../../shell';
import { lastDay } from './parts';

export default function Sent({ params, query }: PageProps) {
  const found = useGet<CaseView>(`/api/v1/services/cases/${params.id}`, { every: 4000 }), view = found.data, again = query.get('again') === '1';
  useEffect(() => document.getElementById('sent')?.focus({ preventScroll: true }), [!view]);
  return (
    <main id="main" class="page">
      <PageHead title={view ? named(view.name) : t('title')} back="/services" />
      <div class="wrap narrow">
        {found.error && !view ? <Trouble error={found.error} again={found.again} /> : !view ? <Waiting /> : (
          <section class="card">
            <div class="hero"><span class="done-mark"><Icon name="check" /></span><h2 id="sent" class="big" tabIndex={-1}>{t(again ? 'sent.again' : 'sent.title')}</h2>
              <p class="meta">{t('case.number')}<br /><span class="code number">{view.id}</span></p></div>
            <div class="sec stack">
              {view.state === 'approved' ? <p class="lead strong">{t('sent.approved')}</p> : view.state === 'rejected' ? <p class="lead strong">{t('sent.rejected')}</p>
                : <p class="lead">{t('sent.due', { when: lastDay(view.promise) })}</p>}
              <p class="meta">{t('sent.line', { when: view.submitted_at ? moment(view.submitted_at) : '' })}</p>
              {view.pledged.length > 0 && <p class="meta">{t('sent.pledged')}</p>}
              <a class="btn go block" href={`/services/cases/${view.id}`}>{t('sent.case')}</a>
              <a class="btn block" href="/services">{t('sent.home')}</a>
            </div>
          </section>
        )}
      </div>
    </main>
  );
}
