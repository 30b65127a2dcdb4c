// All of one's applications, newest first.
import type { CaseRow } from '../../api/types';
import { t } from '../../i18n/services';
import { t as shell } from '../../i18n/shell';
import { ActButton } from '../../kit/controls';
import { Empty, Trouble, Waiting } from '../../kit/say';
import { PageHead } from '../../shell';
import { CaseLink, usePages } from './parts';

export default function Cases() {
  const { items, error, again, more } = usePages<CaseRow>('/api/v1/services/cases', { limit: 30 });
  return (
    <main id="main" class="page">
      <PageHead title={t('cases')} back="/services" />
      <div class="wrap">
        {error && !items ? <Trouble error={error} again={again} /> : !items ? <Waiting /> : items.length === 0 ? <Empty>{t('cases.none')}</Empty> : <section class="card rows">{items.map((row) => <CaseLink key={row.id} row={row} />)}</section>}
        {more && <ActButton act={more} kind="">{shell('more')}</ActButton>}
      </div>
    </main>
  );
}
